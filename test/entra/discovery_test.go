package entra

import (
	"crypto/sha1" //nolint:gosec // x5t is a SHA-1
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct{ path, issuer, token, keys string }{
		"version 2": {
			"/" + tenant + "/v2.0/.well-known/openid-configuration", "https://login.microsoftonline.com/" + tenant + "/v2.0",
			"/" + tenant + "/oauth2/v2.0/token", "/" + tenant + "/discovery/v2.0/keys",
		},
		"version 1": {
			"/" + tenant + "/.well-known/openid-configuration", "https://sts.windows.net/" + tenant + "/",
			"/" + tenant + "/oauth2/token", "/" + tenant + "/discovery/keys",
		},
		"in capitals": {
			"/" + strings.ToUpper(tenant) + "/v2.0/.well-known/openid-configuration", "https://login.microsoftonline.com/" + tenant + "/v2.0",
			"/" + tenant + "/oauth2/v2.0/token", "/" + tenant + "/discovery/v2.0/keys",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := w.get(t, test.path)
			for member, want := range map[string]any{
				"issuer": test.issuer, "token_endpoint": w.authority.URL + test.token, "jwks_uri": w.authority.URL + test.keys,
				"cloud_instance_name": "microsoftonline.com", "subject_types_supported": []any{"pairwise"},
			} {
				if diff := cmp.Diff(want, got.body[member]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", member, diff)
				}
			}
			if age := got.header.Get("Cache-Control"); !strings.HasPrefix(age, "max-age=86400") {
				t.Errorf("Cache-Control: %q", age)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]map[string]any{
		"/discovery/v2.0/keys": {"cloud_instance_name": "microsoftonline.com", "issuer": "https://login.microsoftonline.com/" + tenant + "/v2.0"},
		"/discovery/keys":      {},
	} {
		got := w.get(t, "/"+tenant+path)
		var set jose.JSONWebKeySet // go-jose drops a key whose certificate does not fit
		if err := json.Unmarshal([]byte(got.raw), &set); err != nil || len(set.Keys) != 1 || !w.Public().Equal(set.Keys[0].Key) {
			t.Fatalf("%s: %v, got %s", path, err, got.raw)
		}
		key := got.body["keys"].([]any)[0].(map[string]any)
		thumbprint := sha1.Sum(set.Keys[0].Certificates[0].Raw)
		if id := base64.RawURLEncoding.EncodeToString(thumbprint[:]); key["kid"] != id || key["x5t"] != id {
			t.Errorf("%s: kid = %v, x5t = %v, want %s", path, key["kid"], key["x5t"], id)
		}
		for _, member := range []string{"kid", "x5t", "n", "e", "x5c"} {
			delete(key, member)
		}
		want["kty"], want["use"] = "RSA", "sig"
		if diff := cmp.Diff(want, key); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestInstanceDiscovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := strings.TrimPrefix(w.authority.URL, "https://")
	w.Hosts = []string{"entra.example:8443"}
	for name, test := range map[string]struct{ endpoint, want string }{
		"own host":          {"https://" + own + "/" + tenant + "/oauth2/v2.0/authorize", "https://" + own + "/" + tenant},
		"Microsoft's":       {"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/authorize", "https://login.microsoftonline.com/" + tenant},
		"another own host":  {"https://entra.example:8443/" + tenant + "/oauth2/v2.0/authorize", "https://entra.example:8443/" + tenant},
		"another port":      {"https://entra.example/" + tenant + "/oauth2/v2.0/authorize", ""},
		"unknown host":      {"https://login.example/" + tenant + "/oauth2/v2.0/authorize", ""},
		"not https":         {"http://" + own + "/" + tenant + "/oauth2/v2.0/authorize", ""},
		"missing":           {"", ""},
		"malformed":         {"https://%zz/", ""},
		"host with a start": {"https://x" + own + "/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := w.get(t, "/common/discovery/instance?api-version=1.1&authorization_endpoint="+url.QueryEscape(test.endpoint))
			if test.want == "" {
				if got.status != http.StatusBadRequest || got.body["error"] != "invalid_instance" || got.code() != 50049 {
					t.Errorf("got %d %s", got.status, got.raw)
				}
				return
			}
			if got.status != http.StatusOK || got.body["tenant_discovery_endpoint"] != test.want+"/v2.0/.well-known/openid-configuration" {
				t.Errorf("got %d %s", got.status, got.raw)
			}
			for _, host := range []string{own, "entra.example:8443", "login.windows.net"} {
				if !strings.Contains(got.raw, `"`+host+`"`) {
					t.Errorf("%s is missing in %s", host, got.raw)
				}
			}
		})
	}
}

func TestDocumentsOfUnknownTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{
		"/v2.0/.well-known/openid-configuration", "/.well-known/openid-configuration", "/discovery/v2.0/keys", "/discovery/keys",
	} {
		got := w.get(t, "/"+noTenantID+path)
		if got.status != http.StatusBadRequest || got.body["error"] != "invalid_tenant" || got.code() != 90002 {
			t.Errorf("%s: got %d %s", path, got.status, got.raw)
		}
	}
}
