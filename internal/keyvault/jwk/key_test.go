package jwk

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// A key that is stored and read is the same, and another implementation reads its public part as the same.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ asked, made Spec }{
		"RSA":                      {Spec{Type: RSA}, Spec{Type: RSA, Size: 2048}},
		"RSA 2048":                 {Spec{Type: RSA, Size: 2048}, Spec{Type: RSA, Size: 2048}},
		"RSA 3072":                 {Spec{Type: RSA, Size: 3072}, Spec{Type: RSA, Size: 3072}},
		"RSA 4096":                 {Spec{Type: RSA, Size: 4096}, Spec{Type: RSA, Size: 4096}},
		"EC":                       {Spec{Type: EC}, Spec{Type: EC, Curve: "P-256"}},
		"EC P-256":                 {Spec{Type: EC, Curve: "P-256"}, Spec{Type: EC, Curve: "P-256"}},
		"EC P-384 with its size":   {Spec{Type: EC, Curve: "P-384", Size: 384}, Spec{Type: EC, Curve: "P-384"}},
		"EC P-521":                 {Spec{Type: EC, Curve: "P-521"}, Spec{Type: EC, Curve: "P-521"}},
		"EC by the size of P-521":  {Spec{Type: EC, Size: 521}, Spec{Type: EC, Curve: "P-521"}},
		"EC by the size of P-384":  {Spec{Type: EC, Size: 384}, Spec{Type: EC, Curve: "P-384"}},
		"EC P-256 by default size": {Spec{Type: EC, Size: 256}, Spec{Type: EC, Curve: "P-256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := generated(t, test.asked)
			if key.Spec() != test.made || key.Type() != test.made.Type {
				t.Errorf("made %+v of type %s", key.Spec(), key.Type())
			}
			stored, err := key.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			read, err := Parse(stored)
			if err != nil {
				t.Fatal(err)
			}
			if !same(read, key.Private()) {
				t.Error("what was stored is another key")
			}
			checkPublic(t, key)
		})
	}
}

// checkPublic compares the public part of a key with what go-jose makes of it.
func checkPublic(t *testing.T, key *Key) {
	t.Helper()
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := json.Marshal(jose.JSONWebKey{Key: key.Private().Public()})
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]string
	if json.Unmarshal(shown, &got) != nil || json.Unmarshal(expected, &want) != nil || len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("public part = %s, go-jose has %s", shown, expected)
	}
}

// Coordinates that begin with zeros keep them: about every 256th key has one.
func TestCoordinatesAreAsLongAsTheCurve(t *testing.T) {
	t.Parallel()
	for range 10000 {
		key := generated(t, Spec{Type: EC})
		point, err := key.ec.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 && point[33] != 0 {
			checkPublic(t, key)
			return
		}
	}
	t.Error("no key with a short coordinate")
}

func TestAnswerHasWhatTheCallerAdds(t *testing.T) {
	t.Parallel()
	for want, operations := range map[string][]Operation{
		`{"kid":"https://v/keys/k/1","kty":"RSA","key_ops":["sign"]}`: {Sign},
		`{"kid":"https://v/keys/k/1","kty":"RSA","key_ops":[]}`:       {},
		`{"kid":"https://v/keys/k/1","kty":"RSA"}`:                    nil,
	} {
		got, err := json.Marshal(Public{ID: "https://v/keys/k/1", Type: RSA, Operations: operations})
		if err != nil || string(got) != want {
			t.Errorf("got %s, want %s, error %v", got, want, err)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		asked       Spec
		part, inner string
	}{
		"no type":                    {Spec{}, "'kty' is required", ""},
		"RSA-HSM":                    {Spec{Type: "RSA-HSM"}, "Invalid kty value: RSA-HSM. Keys of this type need a managed HSM", "KeyTypeNotSupported"},
		"EC-HSM":                     {Spec{Type: "EC-HSM"}, "need a managed HSM", "KeyTypeNotSupported"},
		"oct":                        {Spec{Type: "oct"}, "need a managed HSM", "KeyTypeNotSupported"},
		"oct-HSM":                    {Spec{Type: "oct-HSM"}, "need a managed HSM", "KeyTypeNotSupported"},
		"a type in another case":     {Spec{Type: "rsa"}, "Invalid kty value", "KeyTypeNotSupported"},
		"a long type":                {Spec{Type: Type(strings.Repeat("x", 1000))}, `"` + strings.Repeat("x", 64) + `"`, "KeyTypeNotSupported"},
		"RSA 1024":                   {Spec{Type: RSA, Size: 1024}, "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]", ""},
		"RSA 8192":                   {Spec{Type: RSA, Size: 8192}, "Unsupported key size", ""},
		"RSA of a negative size":     {Spec{Type: RSA, Size: -2048}, "Unsupported key size", ""},
		"RSA on a curve":             {Spec{Type: RSA, Curve: "P-256"}, "'crv' is not valid", ""},
		"EC P-256K":                  {Spec{Type: EC, Curve: "P-256K"}, "does not have P-256K", ""},
		"EC on no curve":             {Spec{Type: EC, Curve: "Ed25519"}, `Unsupported curve: "Ed25519"`, ""},
		"EC of an RSA key's size":    {Spec{Type: EC, Size: 4096}, "Unsupported key size (4096). Supported sizes are [256, 384, 521]", ""},
		"EC of another curve's size": {Spec{Type: EC, Curve: "P-256", Size: 384}, "Unsupported key size (384) for curve P-256", ""},
	} {
		_, err := Generate(test.asked)
		refused(t, name, err, test.part)
		if refusal, _ := errors.AsType[*refusal.Error](err); refusal != nil && refusal.Inner != test.inner {
			t.Errorf("%s: inner code %q, want %q", name, refusal.Inner, test.inner)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // Such keys are what it refuses.
	three, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		private any
		part    string
	}{
		"a small RSA key":            {small, "Unsupported key size (1024)"},
		"an RSA key of three primes": {three, "two primes"},
		"a small curve":              {short, "Unsupported curve"},
		"Ed25519":                    {edwards, "neither an RSA nor an EC key"},
		"nothing":                    {nil, "neither an RSA nor an EC key"},
	} {
		_, err := New(test.private)
		refused(t, name, err, test.part)
	}
}

// A stored key that cannot be read is not the caller's fault.
func TestParseOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	stored, err := generated(t, Spec{Type: EC}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	short, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(short)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "a curve that vaults do not have": other, "cut": stored[:len(stored)-1], "too long": append(stored, make([]byte, maxStored)...), "garbage": []byte("garbage"),
	} {
		_, err := Parse(content)
		if _, ok := errors.AsType[*refusal.Error](err); err == nil || ok {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// Nothing prints a private key, however it is formatted.
func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	key := imported(t, "frodo")
	printed := fmt.Sprintf("%v %+v %#v", key, key, *key)
	if strings.Contains(printed, key.rsa.D.String()) || len(printed) > 200 {
		t.Errorf("printed %.200s", printed)
	}
}

func TestRandom(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 16, 128} {
		first, err := Random(count)
		if err != nil || len(first) != count {
			t.Errorf("%d bytes: got %d, error %v", count, len(first), err)
		}
		if second, err := Random(count); count > 1 && (err != nil || string(first) == string(second)) {
			t.Errorf("%d bytes: twice the same, error %v", count, err)
		}
	}
	for _, count := range []int{-1, 0, 129, 1 << 40} {
		_, err := Random(count)
		refused(t, fmt.Sprint(count), err, "from 1 to 128")
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	if got := decode(t, Encode([]byte{0xfb, 0xff, 0})); string(got) != "\xfb\xff\x00" {
		t.Errorf("got %x", got)
	}
	for name, test := range map[string]struct{ text, part string }{
		"nothing":           {"", "Property 'value' is required."},
		"padding":           {"AA==", "Content of 'value' is not base64url."},
		"the other base 64": {"+/8A", "Content of 'value' is not base64url."},
		"too long":          {Encode(make([]byte, 5)), "longer than 4 bytes"},
	} {
		_, err := Decode("value", test.text, 4)
		refused(t, name, err, test.part)
	}
	if got, err := Decode("value", Encode(make([]byte, 4)), 4); err != nil || len(got) != 4 {
		t.Errorf("the longest: %d bytes, error %v", len(got), err)
	}
}
