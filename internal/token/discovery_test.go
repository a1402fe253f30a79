package token

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	content, err := Discovery(baseURL, tenant)
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, json.RawMessage(content))
	for name, want := range map[string]any{
		"issuer":                                baseURL + "/" + tenant + "/v2.0",
		"jwks_uri":                              baseURL + "/" + tenant + "/discovery/v2.0/keys",
		"token_endpoint":                        baseURL + "/" + tenant + "/oauth2/v2.0/token",
		"authorization_endpoint":                baseURL + "/" + tenant + "/oauth2/v2.0/authorize",
		"id_token_signing_alg_values_supported": []any{"RS256"},
		"subject_types_supported":               []any{"pairwise"},
		"tenant_region_scope":                   nil,
	} {
		value, found := got[name]
		if !found {
			t.Errorf("%s is missing", name)
		}
		if diff := cmp.Diff(want, value); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got["response_types_supported"] == nil {
		t.Error("response_types_supported is missing; OpenID Connect Discovery 1.0 section 3 requires it")
	}
}

func TestDiscoveryV1(t *testing.T) {
	t.Parallel()
	content, err := DiscoveryV1(baseURL, tenant)
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, json.RawMessage(content))
	for name, want := range map[string]any{
		"issuer":                                Issuers{EntraResources: []string{"r"}}.For("r", tenant),
		"jwks_uri":                              baseURL + "/" + tenant + "/discovery/keys",
		"token_endpoint":                        baseURL + "/" + tenant + "/oauth2/token",
		"id_token_signing_alg_values_supported": []any{"RS256"},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestJWKSHasPublicPartsOnly(t *testing.T) {
	t.Parallel()
	one, other := keys(t)
	document, err := JWKS([]*Key{other, one})
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{}
	for _, key := range []*Key{other, one} {
		modulus := base64.RawURLEncoding.EncodeToString(key.Public.N.Bytes())
		want = append(want, map[string]any{"kty": "RSA", "use": "sig", "kid": key.ID, "n": modulus, "e": "AQAB"})
	}
	if diff := cmp.Diff(want, set.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestJWKSWithoutKeysIsAList(t *testing.T) {
	t.Parallel()
	document, err := JWKS(nil)
	if err != nil || string(document) != `{"keys":[]}` {
		t.Errorf("got %s, error %v", document, err)
	}
}

func jwks(t *testing.T, keys ...*Key) jose.JSONWebKeySet {
	t.Helper()
	content, err := JWKS(keys)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(content, &set); err != nil {
		t.Fatal(err)
	}
	return set
}
