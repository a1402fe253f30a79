package token

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// The key and the thumbprint of RFC 7638 section 3.1, of which the ID is the first 20 bytes.
func TestKeyID(t *testing.T) {
	t.Parallel()
	const (
		modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjh" +
			"Mstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n" +
			"91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
		thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	)
	n, err := base64.RawURLEncoding.DecodeString(modulus)
	if err != nil {
		t.Fatal(err)
	}
	want, err := base64.RawURLEncoding.DecodeString(thumbprint)
	if err != nil {
		t.Fatal(err)
	}
	got, err := KeyID(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	if got != hex.EncodeToString(want[:20]) {
		t.Errorf("the ID is %s, not %s", got, hex.EncodeToString(want[:20]))
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	one, other := keys(t)
	if one.ID == other.ID {
		t.Error("two keys are the same")
	}
	if !one.NotBefore.Equal(noon) || !one.NotAfter.Equal(noon.Add(validity)) {
		t.Errorf("the key is valid from %s to %s", one.NotBefore, one.NotAfter)
	}
	if bits := one.private.N.BitLen(); bits != 2048 {
		t.Errorf("the key has %d bits", bits)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	one, _ := keys(t)
	object := registration(one)
	want := v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: one.ID},
		Spec: v1alpha1.SigningKeySpec{
			NodeName: "node-1", NodeUID: "node-uid", KeyID: one.ID,
			PublicKey: v1alpha1.PublicJWK{KeyType: "RSA", Modulus: object.Spec.PublicKey.Modulus, Exponent: "AQAB"},
			NotBefore: metav1.NewTime(noon), NotAfter: metav1.NewTime(noon.Add(validity)),
		},
	}
	if diff := cmp.Diff(want, object); diff != "" {
		t.Errorf("the registration differs (-want +got):\n%s", diff)
	}
	public, err := ParsePublicKey(object.Spec)
	if err != nil {
		t.Fatalf("read what was registered: %v", err)
	}
	if !public.Equal(&one.private.PublicKey) {
		t.Error("another key is read than was registered")
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	t.Parallel()
	one, other := keys(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spec v1alpha1.SigningKeySpec
		want string
	}{
		"the ID of another key":      {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.KeyID = other.ID }), "is another one"},
		"no ID":                      {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.KeyID = "" }), "is another one"},
		"an ID in upper case":        {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.KeyID = strings.ToUpper(s.KeyID) }), "is another one"},
		"a key that is too short":    {identified(t, &short.PublicKey), "1024 bits"},
		"no modulus":                 {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.Modulus = "" }), "0 bits"},
		"a modulus of garbage":       {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.Modulus = "+/=" }), "read the modulus"},
		"no exponent":                {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.Exponent = "" }), "an exponent other"},
		"an exponent of garbage":     {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.Exponent = "+/=" }), "read the exponent"},
		"an exponent that overflows": {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.Exponent = "AQAAAAAAAAAB" }), "an exponent other"},
		// With the exponent 1 a message is its own signature: anybody could sign.
		"an exponent of one": {identified(t, &rsa.PublicKey{N: one.private.N, E: 1}), "an exponent other"},
		"an even exponent":   {identified(t, &rsa.PublicKey{N: one.private.N, E: 65536}), "an exponent other"},
		"another key type":   {specOf(one, func(s *v1alpha1.SigningKeySpec) { s.PublicKey.KeyType = "EC" }), "key type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := ParsePublicKey(test.spec)
			if err == nil {
				t.Fatalf("it is read as a key with the exponent %d", key.E)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %q, which does not say %q", err, test.want)
			}
		})
	}
}

func specOf(key *Key, change func(*v1alpha1.SigningKeySpec)) v1alpha1.SigningKeySpec {
	spec := registration(key).Spec
	change(&spec)
	return spec
}

// identified registers a key under the ID that is truly its own.
func identified(t *testing.T, public *rsa.PublicKey) v1alpha1.SigningKeySpec {
	t.Helper()
	id, err := KeyID(public)
	if err != nil {
		t.Fatal(err)
	}
	return v1alpha1.SigningKeySpec{KeyID: id, PublicKey: v1alpha1.PublicJWK{
		KeyType:  "RSA",
		Modulus:  base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		Exponent: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	}, NotAfter: metav1.NewTime(noon.Add(time.Hour))}
}
