package oidc

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kube-imds/kube-imds/internal/published"
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

// What is published later is served at once.
func TestChangedKeysAreServedAnew(t *testing.T) {
	t.Parallel()
	known := some()
	handler := (&Documents{BaseURL: baseURL, DefaultTenant: defaultTenant, Published: func() *published.Published { return known }}).Handler()
	before := get(handler, "/"+defaultTenant+keysOf)
	known = &published.Published{JWKS: []byte(`{"keys":[{"kid":"two"}]}`)}
	after := get(handler, "/"+defaultTenant+keysOf)
	if before.Body.String() != `{"keys":[{"kid":"one"}]}` || after.Body.String() != string(known.JWKS) {
		t.Errorf("served %s, then %s", before.Body, after.Body)
	}
	if before.Header().Get("ETag") == after.Header().Get("ETag") {
		t.Error("the ETag is the same")
	}
}
