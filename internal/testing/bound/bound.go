// Package bound issues pod-bound ServiceAccount tokens for tests, as an API server does.
package bound

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/keyset"
)

const (
	issuer = "https://kubernetes.default.svc"
	keyID  = "cluster-key"
)

var makeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Token describes a pod's token.
type Token struct {
	workload.Workload
	Audience string

	// Age is the time since it was issued.
	Age time.Duration

	// Life is its validity; 0 means ten minutes.
	Life time.Duration
}

// MakeKey makes the cluster's key, unless that is done already.
func MakeKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := makeKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Sign returns the token.
func (b Token) Sign(t testing.TB) string {
	t.Helper()
	made := time.Now().Add(-b.Age)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuer, "aud": []string{b.Audience}, "iat": made.Unix(), "nbf": made.Unix(), "exp": made.Add(cmp.Or(b.Life, 10*time.Minute)).Unix(),
		"kubernetes.io": map[string]any{
			"namespace": b.Namespace, "serviceaccount": b.ServiceAccount, "pod": b.Pod, "node": b.Node,
		},
	})
	unsigned.Header["kid"] = keyID
	signed, err := unsigned.SignedString(MakeKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Keys returns the cluster's keys once they are read.
func Keys(t testing.TB) *keyset.Keys {
	t.Helper()
	keys := workload.NewKeys(Source{}, logr.Discard())
	go func() { _ = keys.Start(t.Context()) }()
	for deadline := time.Now().Add(10 * time.Second); !keys.Ready(); {
		if time.Now().After(deadline) {
			t.Fatal("the cluster's keys are not ready")
		}
		time.Sleep(time.Millisecond)
	}
	return keys
}

// Source is an API server that publishes the cluster's key.
type Source struct{}

// Read returns the discovery document or the JWKS.
func (Source) Read(_ context.Context, path string) ([]byte, error) {
	key, err := makeKey()
	if err != nil {
		return nil, err
	}
	if path == "/openid/v1/jwks" {
		return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID}}})
	}
	return json.Marshal(map[string]string{"issuer": issuer})
}
