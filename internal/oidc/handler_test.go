package oidc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/published"
)

const (
	baseURL       = "https://kube-imds-oidc.kube-imds.svc"
	defaultTenant = "11111111-2222-4333-8444-55555555555a"
	otherTenant   = "99999999-2222-4333-8444-55555555555b"
	noTenant      = "00000000-0000-0000-0000-000000000000"

	discoveryOf = "/v2.0/.well-known/openid-configuration"
	keysOf      = "/discovery/v2.0/keys"

	// discoveryV1Of is the path of Entra's version 1 of the document.
	discoveryV1Of = "/.well-known/openid-configuration"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// documents returns a handler for the default tenant and for the tenant of an identity.
func documents(known *published.Published) http.Handler {
	return (&Documents{
		BaseURL: baseURL, DefaultTenant: defaultTenant,
		Published: func() *published.Published { return known },
		Now:       func() time.Time { return noon },
		Log:       logr.Discard(),
	}).Handler()
}

// some returns the published state of one key.
func some() *published.Published {
	return &published.Published{JWKS: []byte(`{"keys":[{"kid":"one"}]}`), Tenants: map[string]bool{otherTenant: true}}
}

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

func body(t *testing.T, recorder *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &content); err != nil {
		t.Fatalf("response %q is not JSON: %v", recorder.Body, err)
	}
	return content
}

func TestDiscoveryOfTenants(t *testing.T) {
	t.Parallel()
	handler := documents(some())
	own := func(tenant string) string { return baseURL + "/" + tenant + "/v2.0" }
	for name, test := range map[string]struct{ path, issuer string }{
		"default tenant":         {"/" + defaultTenant + discoveryOf, own(defaultTenant)},
		"identity's tenant":      {"/" + otherTenant + discoveryOf, own(otherTenant)},
		"default in capitals":    {"/" + strings.ToUpper(defaultTenant) + discoveryOf, own(defaultTenant)},
		"identity's in capitals": {"/" + strings.ToUpper(otherTenant) + discoveryOf, own(otherTenant)},
		"identity's, version 1":  {"/" + otherTenant + discoveryV1Of, "https://sts.windows.net/" + otherTenant + "/"},
		"default, version 1":     {"/" + strings.ToUpper(defaultTenant) + discoveryV1Of, "https://sts.windows.net/" + defaultTenant + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := get(handler, test.path)
			if recorder.Code != http.StatusOK {
				t.Fatalf("status = %d: %s", recorder.Code, recorder.Body)
			}
			wantHeaders(t, recorder, "public, max-age=86400")
			document := body(t, recorder)
			if document["issuer"] != test.issuer {
				t.Errorf("issuer = %v, want %s", document["issuer"], test.issuer)
			}
			// The URLs in the document must work.
			keys, _ := strings.CutPrefix(document["jwks_uri"].(string), baseURL)
			if got := get(handler, keys).Code; got != http.StatusOK {
				t.Errorf("%s: status = %d", keys, got)
			}
		})
	}
}

func TestKeysAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	handler := documents(some())
	for _, tenant := range []string{defaultTenant, otherTenant} {
		recorder := get(handler, "/"+tenant+keysOf)
		wantHeaders(t, recorder, "public, max-age=300")
		if got := recorder.Body.String(); got != string(some().JWKS) {
			t.Errorf("keys = %s", got)
		}
	}
}

func TestUnknownTenantIsRefused(t *testing.T) {
	t.Parallel()
	handler := documents(some())
	for name, tenant := range map[string]string{
		"a GUID": noTenant, "a word": "common", "text of a script": "%3Cscript%3E", "a slash": "a%2Fb", "dots": "%2E%2E%2Fb",
	} {
		for _, path := range []string{discoveryOf, keysOf} {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				recorder := get(handler, "/"+tenant+path)
				if recorder.Code != http.StatusBadRequest {
					t.Fatalf("status = %d: %s", recorder.Code, recorder.Body)
				}
				if strings.Contains(recorder.Body.String(), "<") {
					t.Errorf("the response repeats the request unescaped: %s", recorder.Body)
				}
				answer := body(t, recorder)
				description, _ := answer["error_description"].(string)
				if !strings.HasPrefix(description, "AADSTS90002: Tenant '") {
					t.Errorf("description = %q", description)
				}
				delete(answer, "error_description")
				want := map[string]any{"error": "invalid_tenant", "error_codes": []any{90002.}, "timestamp": "2026-03-01 12:00:00Z"}
				if diff := cmp.Diff(want, answer); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	handler := documents(some())
	for method, want := range map[string]int{
		http.MethodGet: 200, http.MethodHead: 200,
		http.MethodPost: 405, http.MethodPut: 405, http.MethodDelete: 405, http.MethodPatch: 405, http.MethodOptions: 405,
	} {
		for _, path := range []string{discoveryOf, keysOf} {
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, httptest.NewRequest(method, "/"+defaultTenant+path, nil))
				if recorder.Code != want {
					t.Errorf("status = %d, want %d", recorder.Code, want)
				}
			})
		}
	}
	for _, path := range []string{"/", "/" + defaultTenant, "/" + defaultTenant + "/v2.0", "/" + defaultTenant + discoveryOf + "/x"} {
		if got := get(handler, path).Code; got != http.StatusNotFound {
			t.Errorf("%s: status = %d", path, got)
		}
	}
}

func TestResponsesBeforeKeysAreKnown(t *testing.T) {
	t.Parallel()
	handler := documents(nil)
	for name, path := range map[string]string{
		"keys":              "/" + defaultTenant + keysOf,
		"another tenant":    "/" + otherTenant + discoveryOf,
		"an unknown tenant": "/" + noTenant + discoveryOf,
		"another's keys":    "/" + otherTenant + keysOf,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := get(handler, path)
			if recorder.Code != http.StatusServiceUnavailable || recorder.Header().Get("Retry-After") == "" {
				t.Errorf("got %d %v", recorder.Code, recorder.Header())
			}
			if got := body(t, recorder)["error"]; got != "temporarily_unavailable" {
				t.Errorf("got error %v", got)
			}
			if age := recorder.Header().Get("Cache-Control"); age != "" {
				t.Errorf("a failure may be cached: %s", age)
			}
		})
	}
	if got := get(handler, "/"+defaultTenant+discoveryOf).Code; got != http.StatusOK {
		t.Errorf("default tenant: status = %d", got)
	}
}

func wantHeaders(t *testing.T, recorder *httptest.ResponseRecorder, age string) {
	t.Helper()
	if got := recorder.Header().Get("Cache-Control"); got != age {
		t.Errorf("Cache-Control = %q, want %q", got, age)
	}
	if got := recorder.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
}
