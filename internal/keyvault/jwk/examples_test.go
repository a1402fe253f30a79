package jwk

import (
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// examples are those of RFC 7520.
type examples struct {
	Keys       map[string]json.RawMessage
	Signatures []struct{ Key, Alg, Signed, Signature string }
	Wrapped    []struct{ Key, Alg, Plain, Encrypted string }
}

func readExamples(t testing.TB) examples {
	t.Helper()
	content, err := os.ReadFile("testdata/rfc7520.json")
	if err != nil {
		t.Fatal(err)
	}
	var read examples
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// private returns the key of an example as requests have it.
func private(t testing.TB, name string) *Private {
	t.Helper()
	var key Private
	if err := json.Unmarshal(readExamples(t).Keys[name], &key); err != nil {
		t.Fatal(err)
	}
	return &key
}

// imported returns the key of an example.
func imported(t testing.TB, name string) *Key {
	t.Helper()
	key, err := Import(private(t, name))
	if err != nil {
		t.Fatalf("import %s: %v", name, err)
	}
	return key
}

// generated returns a new key.
func generated(t testing.TB, spec Spec) *Key {
	t.Helper()
	key, err := Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// same reports whether a key has a private key. RSA keys with their primes in another order are the same.
func same(key *Key, private crypto.PrivateKey) bool {
	if numbers, ok := private.(*rsa.PrivateKey); ok {
		return key.rsa != nil && key.rsa.PublicKey.Equal(&numbers.PublicKey) && key.rsa.D.Cmp(numbers.D) == 0
	}
	return key.ec != nil && key.ec.Equal(private)
}

// refused reports an error unless it is a refusal with a text in it.
func refused(t *testing.T, name string, err error, part string) {
	t.Helper()
	refusal, ok := errors.AsType[*refusal.Error](err)
	if !ok || !strings.Contains(refusal.Message, part) || refusal.Message != err.Error() || refusal.Forbidden {
		t.Errorf("%s: error = %v, want a refusal with %q", name, err, part)
	}
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	content, err := Decode("value", text, maxNumber)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
