package oidc

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestUnchangedDocumentsAreNotSentAgain(t *testing.T) {
	t.Parallel()
	handler := documents(some())
	for _, path := range []string{discoveryOf, keysOf} {
		first := get(handler, "/"+defaultTenant+path)
		tag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || tag == "" {
			t.Fatalf("%s: %d with the ETag %q", path, first.Code, tag)
		}
		if again := getUnless(handler, "/"+defaultTenant+path, tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: %d with a body of %d bytes", path, again.Code, again.Body.Len())
		}
		if changed := getUnless(handler, "/"+defaultTenant+path, `"another"`); changed.Code != http.StatusOK {
			t.Errorf("%s: %d to a client with another document", path, changed.Code)
		}
	}
}

// getUnless asks for a document other than the one with this ETag.
func getUnless(handler http.Handler, path, tag string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("If-None-Match", tag)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}
