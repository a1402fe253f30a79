package imds

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// discardingWriter keeps nothing, so that what is measured is the handler.
type discardingWriter struct{ header http.Header }

func (w *discardingWriter) Header() http.Header            { return w.header }
func (w *discardingWriter) Write(body []byte) (int, error) { return len(body), nil }
func (w *discardingWriter) WriteHeader(int)                {}

func benchmark(b *testing.B, handler http.Handler, target string) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		request := httptest.NewRequest(http.MethodGet, target, http.NoBody)
		request.Header.Set("Metadata", "true")
		writer := &discardingWriter{http.Header{}}
		for pb.Next() {
			handler.ServeHTTP(writer, request)
		}
	})
}

// BenchmarkCachedToken is the path that nearly every request of an application takes. It allocates nothing but an
// answer a second.
func BenchmarkCachedToken(b *testing.B) {
	imds := newIMDS()
	benchmark(b, NewHandler(imds.sources(), time.Now), tokenTarget("&client_id=c"))
}

// BenchmarkProbe is the request without the header with which SDKs find out that IMDS is there.
func BenchmarkProbe(b *testing.B) {
	handler := newIMDS().build()
	b.ReportAllocs()
	request := httptest.NewRequest(http.MethodGet, tokenPath, http.NoBody)
	for b.Loop() {
		handler.ServeHTTP(&discardingWriter{http.Header{}}, request)
	}
}

func BenchmarkInstance(b *testing.B) {
	benchmark(b, newIMDS().build(), instancePath+instanceVersion)
}
