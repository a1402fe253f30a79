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
			t.Errorf("%s: got %d with %d bytes", path, again.Code, again.Body.Len())
		}
		if changed := getUnless(handler, "/"+defaultTenant+path, `"another"`); changed.Code != http.StatusOK {
			t.Errorf("%s: got %d for another ETag", path, changed.Code)
		}
	}
}

// getUnless requests a document with If-None-Match.
func getUnless(handler http.Handler, path, tag string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("If-None-Match", tag)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}
