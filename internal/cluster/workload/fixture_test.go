package workload

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

const (
	issuer   = "https://kubernetes.default.svc"
	audience = "kube-imds.io/issuer"
)

// pair holds keys of a cluster, made once for all tests.
type pair struct {
	rsa, other *rsa.PrivateKey
	ecdsa      *ecdsa.PrivateKey
}

var somePair = sync.OnceValues(func() (pair, error) {
	one, errOne := rsa.GenerateKey(rand.Reader, 2048)
	other, errOther := rsa.GenerateKey(rand.Reader, 2048)
	curve, errCurve := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return pair{one, other, curve}, errors.Join(errOne, errOther, errCurve)
})

func keyPair(t *testing.T) pair {
	t.Helper()
	made, err := somePair()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// cluster is a Source: an API server that publishes keys.
type cluster struct {
	mu     sync.Mutex
	issuer string
	keys   map[string]crypto.PublicKey
	err    error
	reads  int
}

func (c *cluster) Read(_ context.Context, path string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	switch path {
	case "/.well-known/openid-configuration":
		return json.Marshal(map[string]string{"issuer": c.issuer})
	case "/openid/v1/jwks":
		c.reads++
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for id, key := range c.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"})
		}
		return json.Marshal(set)
	}
	return nil, errors.New("not found: " + path)
}

func (c *cluster) change(change func(*cluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *cluster) wantReads(t *testing.T, want int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads != want {
		t.Errorf("the keys were read %d times, want %d", c.reads, want)
	}
}

// newCluster returns a cluster that publishes the keys "rsa" and "ecdsa".
func newCluster(t *testing.T) *cluster {
	made := keyPair(t)
	return &cluster{issuer: issuer, keys: map[string]crypto.PublicKey{"rsa": made.rsa.Public(), "ecdsa": made.ecdsa.Public()}}
}

// knowing returns Keys that have been read once.
func knowing(t *testing.T, source keyset.Source) *keyset.Keys {
	t.Helper()
	keys := NewKeys(source, logr.Discard())
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return keys
}

// token is a ServiceAccount token as the API server issues it.
type token struct {
	header map[string]any
	claims map[string]any
	method jwt.SigningMethod
	key    any
}

func newToken(t *testing.T, now time.Time) token {
	return token{
		header: map[string]any{"kid": "rsa"},
		method: jwt.SigningMethodRS256,
		key:    keyPair(t).rsa,
		claims: map[string]any{
			"iss": issuer, "aud": []string{audience}, "sub": "system:serviceaccount:shop:orders", "jti": "a-token-id",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
			"kubernetes.io": map[string]any{
				"namespace":      "shop",
				"serviceaccount": map[string]string{"name": "orders", "uid": "account-uid"},
				"pod":            map[string]string{"name": "orders-0", "uid": "pod-uid"},
				"node":           map[string]string{"name": "node-1", "uid": "node-uid"},
			},
		},
	}
}

func (o token) with(claim string, value any) token {
	o.claims = maps.Clone(o.claims)
	o.claims[claim] = value
	return o
}

func (o token) without(claim string) token {
	o.claims = maps.Clone(o.claims)
	delete(o.claims, claim)
	return o
}

// unbound removes one object from what the token is bound to.
func (o token) unbound(from string) token {
	bound := maps.Clone(o.claims["kubernetes.io"].(map[string]any))
	delete(bound, from)
	return o.with("kubernetes.io", bound)
}

func (o token) signedBy(id string, method jwt.SigningMethod, key any) token {
	o.header, o.method, o.key = map[string]any{"kid": id}, method, key
	return o
}

func (o token) sign(t *testing.T) string {
	t.Helper()
	made := jwt.NewWithClaims(o.method, jwt.MapClaims(o.claims))
	maps.Copy(made.Header, o.header)
	signed, err := made.SignedString(o.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
