package oidc

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkDocuments measures what an unauthenticated request costs.
func BenchmarkDocuments(b *testing.B) {
	handler := documents(some())
	for name, path := range map[string]string{"keys": "/" + defaultTenant + keysOf, "discovery": "/" + defaultTenant + discoveryOf} {
		tag := get(handler, path).Header().Get("ETag")
		for answer, condition := range map[string]string{"200": "", "304": tag} {
			b.Run(name+"/"+answer, func(b *testing.B) {
				request := httptest.NewRequest(http.MethodGet, path, nil)
				if condition != "" {
					request.Header.Set("If-None-Match", condition)
				}
				b.ReportAllocs()
				for b.Loop() {
					handler.ServeHTTP(discarded{http.Header{}}, request)
				}
			})
		}
	}
}

// discarded is a response that nobody reads.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header             { return d.header }
func (discarded) WriteHeader(int)                   {}
func (discarded) Write(content []byte) (int, error) { return len(content), nil }
