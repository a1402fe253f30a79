package keyvault

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Whatever somebody sends who may do everything, the answer is Key Vault's: it never fails for a reason of its own.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{http.MethodPut, "/secrets/a", `{"value":"x","tags":{"a":"b"},"attributes":{"nbf":1,"exp":2}}`},
		{http.MethodPatch, "/secrets/a/", `{"attributes":{"enabled":false}}`},
		{http.MethodPost, "/secrets/restore", `{"value":"AAAA"}`},
		{http.MethodPost, "/keys/a/create", `{"kty":"EC","crv":"P-256","key_ops":["sign"]}`},
		{http.MethodPut, "/keys/a", `{"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}`},
		{http.MethodPost, "/keys/a//sign", `{"alg":"ES256","value":"AA"}`},
		{http.MethodPost, "/keys/a/verify", `{"alg":"ES256","digest":"AA","value":"AA"}`},
		{http.MethodPut, "/keys/a/rotationpolicy", `{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"Rotate"}}]}`},
		{http.MethodPost, "/certificates/a/create", `{"policy":{"issuer":{"name":"Unknown"},"key_props":{"kty":"EC"},"x509_props":{"subject":"CN=a"}}}`},
		{http.MethodPatch, "/certificates/a/policy", `{"lifetime_actions":[{}]}`},
		{http.MethodPost, "/certificates/a/import", `{"value":"AAAA","pwd":""}`},
		{http.MethodPost, "/certificates/a/pending/merge", `{"x5c":["AAAA"]}`},
		{http.MethodGet, "/secrets", ""},
		{http.MethodPost, "/rng", `{"count":1}`},
	} {
		f.Add(seed.method, seed.path, seed.body)
	}
	vault := newFixture(f, v1alpha1.KeyVaultAdministrator)
	authorization := "Bearer " + vault.token(f)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		target, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/"))
		if err != nil || strings.Contains(body, "RSA") { // which takes long
			t.Skip()
		}
		query := target.Query()
		query.Set("api-version", "7.6")
		target.RawQuery = query.Encode()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		request.Method, request.URL, request.Host = method, target, vaultHost
		request.Header.Set("Authorization", authorization)
		recorder := httptest.NewRecorder()
		vault.handler.ServeHTTP(recorder, request)
		if recorder.Code >= http.StatusInternalServerError {
			t.Errorf("%s %q %q: got %d %s", method, path, body, recorder.Code, recorder.Body)
		}
		if recorder.Code >= http.StatusBadRequest && !isFailure(recorder.Body.Bytes()) {
			t.Errorf("%s %q %q: got %d %q, which is not Key Vault's", method, path, body, recorder.Code, recorder.Body)
		}
	})
}

func isFailure(body []byte) bool {
	var answer struct {
		Error struct{ Code, Message string }
	}
	return json.Unmarshal(body, &answer) == nil && answer.Error.Code != "" && answer.Error.Message != ""
}
