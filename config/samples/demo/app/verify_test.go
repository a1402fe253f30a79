package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const resource = "https://vault.azure.net"

func TestTokenOfTheTrustedIssuerIsShown(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	token := issuer.sign(t, issuer.key, map[string]any{"tid": "the tenant", "oid": "the principal", "xms_mirid": "/the/identity"})

	claims, err := verify(issuer.context(), settings{resource: resource, issuer: issuer.url}, token)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{issuer.url, resource, "the tenant", "the principal", "/the/identity"} {
		if !strings.Contains(claims.String(), want) {
			t.Errorf("%q is not printed in\n%s", want, claims)
		}
	}
	if strings.Contains(claims.String(), token) {
		t.Error("the token itself is printed")
	}
}

func TestTokenIsRefused(t *testing.T) {
	t.Parallel()
	issuer, other := newIssuer(t), newIssuer(t)
	for name, test := range map[string]struct {
		trusted string
		token   string
		reason  string
	}{
		"of another issuer":    {issuer.url, other.sign(t, other.key, nil), "is trusted"},
		"signed by another":    {issuer.url, issuer.sign(t, other.key, nil), "verify the token"},
		"for another resource": {issuer.url, issuer.sign(t, issuer.key, map[string]any{"aud": "https://other"}), "audience"},
		"expired":              {issuer.url, issuer.sign(t, issuer.key, map[string]any{"exp": 1}), "expired"},
		"not a JWT":            {issuer.url, "opaque", "not a JWT"},
		"malformed JWT":        {issuer.url, "a.!.c", "read the token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(issuer.context(), settings{resource: resource, issuer: test.trusted}, test.token)
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got error %v, want %s", err, test.reason)
			}
		})
	}
}

func TestUntrustedIssuerIsNotAsked(t *testing.T) {
	t.Parallel()
	other := newIssuer(t)
	_, err := verify(other.context(), settings{resource: resource, issuer: "https://trusted"}, other.sign(t, other.key, nil))
	if err == nil {
		t.Error("the token is accepted")
	}
	if other.asked {
		t.Error("the untrusted issuer was asked for its keys")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environment map[string]string
		want        settings
		wrong       string
	}{
		"the defaults": {
			environment: map[string]string{"OIDC_ISSUER": "https://a"},
			want:        settings{resource: resource, issuer: "https://a", pause: time.Minute},
		},
		"all of them": {
			environment: map[string]string{"OIDC_ISSUER": "https://a", "RESOURCE": "https://b", "REFRESH_SECONDS": "0"},
			want:        settings{resource: "https://b", issuer: "https://a"},
		},
		"no issuer":        {wrong: "OIDC_ISSUER"},
		"not a number":     {environment: map[string]string{"REFRESH_SECONDS": "soon"}, wrong: "REFRESH_SECONDS"},
		"a negative pause": {environment: map[string]string{"REFRESH_SECONDS": "-1"}, wrong: "REFRESH_SECONDS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := settingsFrom(func(name string) string { return test.environment[name] })
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("got %v, want an error that names %s", err, test.wrong)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// testIssuer is an OIDC issuer on a loopback address.
type testIssuer struct {
	url    string
	key    *rsa.PrivateKey
	client *http.Client
	asked  bool
}

func newIssuer(t *testing.T) *testIssuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &testIssuer{key: key}
	server := httptest.NewTLSServer(issuer)
	t.Cleanup(server.Close)
	issuer.url, issuer.client = server.URL+"/tenant/v2.0", server.Client()
	return issuer
}

func (i *testIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.asked = true
	var document any
	switch r.URL.Path {
	case "/tenant/v2.0/.well-known/openid-configuration":
		document = map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
	case "/tenant/v2.0/keys":
		document = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "key", Use: "sig"}}}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(document)
}

// context returns a context whose requests trust the issuer's certificate.
func (i *testIssuer) context() context.Context {
	return oidc.ClientContext(context.Background(), i.client)
}

// sign signs a token of this issuer, with some claims replaced.
func (i *testIssuer) sign(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "key"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	usual := map[string]any{"iss": i.url, "aud": resource, "exp": time.Now().Add(time.Hour).Unix()}
	token, err := jwt.Signed(signer).Claims(usual).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
