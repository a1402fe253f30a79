// Package tokens makes tokens for tests of what accepts them.
package tokens

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

const (
	// BaseURL is the OIDC server's.
	BaseURL = "https://kube-imds-oidc.kube-imds-system.svc"

	// Tenant is that of the tokens.
	Tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

	// KeyID is that of Key.
	KeyID = "known"
)

var makeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Key returns the key that signs, the same each time.
func Key(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	made, err := makeKey()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Keys returns the keys of an OIDC server that has Key alone.
func Keys(t testing.TB) *keyset.Keys {
	t.Helper()
	source := documents{&Key(t).PublicKey}
	keys := keyset.New(keyset.Documents{Source: source, Discovery: "/openid-configuration", JWKS: "/keys"}, logr.Discard(), func(error) {})
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return keys
}

// documents are an OIDC server's, with one key.
type documents struct{ public *rsa.PublicKey }

// Read implements keyset.Source.
func (d documents) Read(_ context.Context, path string) ([]byte, error) {
	if strings.HasSuffix(path, "openid-configuration") {
		return json.Marshal(map[string]string{"issuer": BaseURL + "/" + Tenant + "/v2.0"})
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: d.public, KeyID: KeyID, Use: "sig", Algorithm: "RS256"}}})
}

// Sign returns a token with claims.
func Sign(t testing.TB, method jwt.SigningMethod, key any, keyID string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = keyID
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
