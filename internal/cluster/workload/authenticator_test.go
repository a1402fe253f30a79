package workload

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	keys := knowing(t, newCluster(t))
	right := newToken(t, noon)
	want := Workload{
		Namespace:      "shop",
		Pod:            Reference{"orders-0", "pod-uid"},
		ServiceAccount: Reference{"orders", "account-uid"},
		Node:           Reference{"node-1", "node-uid"},
		TokenIssuedAt:  noon,
	}
	for name, test := range map[string]struct {
		token token
		now   time.Time
	}{
		"RSA key":              {right, noon},
		"ECDSA key":            {right.signedBy("ecdsa", jwt.SigningMethodES256, keyPair(t).ecdsa), noon},
		"one of two audiences": {right.with("aud", []string{"other", audience}), noon},
		"last second":          {right, noon.Add(10*time.Minute - time.Second)},
		"slow clock":           {right, noon.Add(-9 * time.Second)},
		"fast clock":           {right, noon.Add(10*time.Minute + 9*time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := NewAuthenticator(keys, audience, at(test.now)).Within(10 * time.Minute).Authenticate(test.token.sign(t))
			if err != nil {
				t.Fatalf("valid token is refused: %v", err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
				t.Errorf("workload (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	keys := knowing(t, newCluster(t))
	right := newToken(t, noon)
	made := keyPair(t)
	signed := right.sign(t)
	for name, test := range map[string]struct {
		token string
		now   time.Time
		want  string
	}{
		"another audience":     {right.with("aud", []string{"https://kubernetes.default.svc"}).sign(t), noon, "audience"},
		"no audience":          {right.without("aud").sign(t), noon, "aud"},
		"another issuer":       {right.with("iss", "https://example.com").sign(t), noon, "issuer"},
		"no issuer":            {right.without("iss").sign(t), noon, "iss"},
		"expired":              {signed, noon.Add(10*time.Minute + 11*time.Second), "expired"},
		"without expiry":       {right.without("exp").sign(t), noon, "exp"},
		"not valid yet":        {signed, noon.Add(-11 * time.Second), "not valid yet"},
		"not bound to a pod":   {right.unbound("pod").sign(t), noon, "not bound"},
		"not bound to a node":  {right.unbound("node").sign(t), noon, "not bound"},
		"bound to a node only": {right.unbound("pod").unbound("serviceaccount").sign(t), noon, "not bound"},
		"no ServiceAccount":    {right.unbound("serviceaccount").sign(t), noon, "not bound"},
		"no namespace":         {right.unbound("namespace").sign(t), noon, "not bound"},
		"not bound":            {right.without("kubernetes.io").sign(t), noon, "not bound"},
		"binding is garbage":   {right.with("kubernetes.io", "pod-uid").sign(t), noon, "malformed"},
		"not signed": {right.signedBy("rsa", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType).sign(t),
			noon, "signing method none"},
		"signed with HMAC of the public key": {right.signedBy("rsa", jwt.SigningMethodHS256, publicPEM(t)).sign(t),
			noon, "signing method HS256"},
		"another RSA algorithm": {right.signedBy("rsa", jwt.SigningMethodPS256, made.rsa).sign(t),
			noon, "signing method PS256"},
		"another key, same ID":    {right.signedBy("rsa", jwt.SigningMethodRS256, made.other).sign(t), noon, "signature"},
		"a key of another kind":   {right.signedBy("ecdsa", jwt.SigningMethodRS256, made.rsa).sign(t), noon, "key is of invalid type"},
		"unknown key":             {right.signedBy("new", jwt.SigningMethodRS256, made.rsa).sign(t), noon, "does not publish"},
		"no key ID":               {right.signedBy("", jwt.SigningMethodRS256, made.rsa).sign(t), noon, "does not publish"},
		"changed payload":         {replaced(signed, 1, "orders-0", "orders-1"), noon, "signature"},
		"truncated signature":     {signed[:len(signed)-8], noon, "signature"},
		"no signature":            {signed[:strings.LastIndex(signed, ".")+1], noon, "signature"},
		"two parts":               {signed[:strings.LastIndex(signed, ".")], noon, "malformed"},
		"garbage":                 {"this-is-no-token", noon, "malformed"},
		"garbage in three parts":  {"this.is.garbage", noon, "malformed"},
		"empty":                   {"", noon, "malformed"},
		"huge token":              {right.with("more", strings.Repeat("a", maxTokenBytes)).sign(t), noon, "longer than 8192 bytes"},
		"valid for an hour":       {right.with("exp", noon.Add(time.Hour).Unix()).sign(t), noon, "valid for longer"},
		"valid a second too long": {right.with("exp", noon.Add(10*time.Minute+time.Second).Unix()).sign(t), noon, "valid for longer"},
		"without iat":             {right.without("iat").sign(t), noon, "valid for longer"},
		"empty parts":             {"..", noon, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := NewAuthenticator(keys, audience, at(test.now)).Within(10 * time.Minute).Authenticate(test.token)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if got != (Workload{}) {
				t.Errorf("got workload %+v with an error", got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %q, want it to contain %q", err, test.want)
			}
			for part := range strings.SplitSeq(test.token, ".") {
				if len(part) > 4 && strings.Contains(err.Error(), part) {
					t.Errorf("error %q contains the token", err)
				}
			}
			for _, secret := range []string{"pod-uid", "a-token-id", "system:serviceaccount"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q contains claims of the token", err)
				}
			}
		})
	}
}

func TestAuthenticateBeforeKeysAreRead(t *testing.T) {
	t.Parallel()
	keys := NewKeys(newCluster(t), discard)
	_, err := NewAuthenticator(keys, audience, at(noon)).Authenticate(newToken(t, noon).sign(t))
	if !errors.Is(err, errNotReady) {
		t.Errorf("got error %v, want that the keys are not read yet", err)
	}
}

// publicPEM returns the cluster's public key in PEM.
func publicPEM(t *testing.T) []byte {
	t.Helper()
	encoded, err := x509.MarshalPKIXPublicKey(keyPair(t).rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded})
}

// replaced returns a token with one part changed.
func replaced(signed string, part int, old, new string) string {
	parts := strings.Split(signed, ".")
	content, _ := base64.RawURLEncoding.DecodeString(parts[part])
	parts[part] = base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(content), old, new)))
	return strings.Join(parts, ".")
}
