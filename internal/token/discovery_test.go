package token

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
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
			t.Errorf("%s differs (-want +got):\n%s", name, diff)
		}
	}
	if got["response_types_supported"] == nil {
		t.Error("response_types_supported is missing; OpenID Connect Discovery 1.0 section 3 requires it")
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	one, other := keys(t)
	for name, test := range map[string]struct {
		keys []v1alpha1.SigningKey
		at   time.Time
		want []string
		left int
	}{
		"no keys":                       {nil, noon, []string{}, 0},
		"keys":                          {[]v1alpha1.SigningKey{registration(one), registration(other)}, noon, []string{one.ID, other.ID}, 0},
		"to the last second":            {[]v1alpha1.SigningKey{registration(one)}, noon.Add(validity - time.Second), []string{one.ID}, 0},
		"a key has expired":             {[]v1alpha1.SigningKey{registration(one)}, noon.Add(validity), []string{}, 0},
		"a key is deleted":              {[]v1alpha1.SigningKey{deleted(one), registration(other)}, noon, []string{other.ID}, 0},
		"a key is unreadable":           {[]v1alpha1.SigningKey{unreadable(one), registration(other)}, noon, []string{other.ID}, 1},
		"an unreadable key has expired": {[]v1alpha1.SigningKey{unreadable(one)}, noon.Add(validity), []string{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, left, err := JWKS(test.keys, test.at)
			if err != nil {
				t.Fatal(err)
			}
			var document struct {
				Keys []map[string]any `json:"keys"`
			}
			if err := json.Unmarshal(content, &document); err != nil {
				t.Fatal(err)
			}
			if document.Keys == nil {
				t.Errorf("keys is null, not a list, in %s", content)
			}
			got := []string{}
			for _, key := range document.Keys {
				got = append(got, key["kid"].(string))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the keys differ (-want +got):\n%s", diff)
			}
			if len(left) != test.left {
				t.Errorf("%d keys were left out and told, not %d: %v", len(left), test.left, left)
			}
		})
	}
}

func TestJWKSHasPublicPartsAlone(t *testing.T) {
	t.Parallel()
	one, _ := keys(t)
	content, _, err := JWKS([]v1alpha1.SigningKey{registration(one)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	public := registration(one).Spec.PublicKey
	want := []map[string]any{{"kty": "RSA", "use": "sig", "kid": one.ID, "n": public.Modulus, "e": "AQAB"}}
	if diff := cmp.Diff(want, document.Keys); diff != "" {
		t.Errorf("the keys differ (-want +got):\n%s", diff)
	}
}

func jwks(t *testing.T, keys ...v1alpha1.SigningKey) jose.JSONWebKeySet {
	t.Helper()
	content, _, err := JWKS(keys, noon)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(content, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func deleted(key *Key) v1alpha1.SigningKey {
	object := registration(key)
	object.DeletionTimestamp = &metav1.Time{Time: noon}
	return object
}

func unreadable(key *Key) v1alpha1.SigningKey {
	object := registration(key)
	object.Spec.PublicKey.Modulus = "?"
	return object
}
