package certificate

import (
	"errors"
	"testing"
)

// FuzzImport checks that whatever is imported is refused, or can be exported and imported again.
func FuzzImport(f *testing.F) {
	for _, file := range []string{"rsa-pkcs8.pem", "rsa-pkcs1.pem", "ec-sec1.pem", "ec-pkcs8.pem", "rsa-encrypted.pem"} {
		f.Add(string(read(f, file)), "")
	}
	for _, file := range []string{"aes.pfx", "3des.pfx", "rc2.pfx", "ec.pfx"} {
		f.Add(encoded(read(f, file)), "secret")
	}
	f.Add(encoded(read(f, "no-mac.pfx")), "")
	f.Fuzz(func(t *testing.T, value, password string) {
		pair, contentType, err := Import(value, password)
		checkImport(t, pair, contentType, err)
	})
}

// FuzzPFX is FuzzImport below the base64.
func FuzzPFX(f *testing.F) {
	for _, file := range []string{"aes.pfx", "3des.pfx", "rc2.pfx", "ec.pfx"} {
		f.Add(read(f, file), "secret")
	}
	f.Add(read(f, "no-mac.pfx"), "")
	f.Fuzz(func(t *testing.T, content []byte, password string) {
		pair, err := FromPFX(content, password)
		checkImport(t, pair, PKCS12, err)
	})
}

func checkImport(t *testing.T, pair *KeyPair, contentType string, err error) {
	t.Helper()
	if err != nil {
		if _, ok := errors.AsType[*Refusal](err); !ok {
			t.Errorf("not a refusal: %v", err)
		}
		return
	}
	secret, err := pair.Secret(contentType, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := Import(secret, ""); err != nil || again != contentType {
		t.Errorf("%s is imported again as %s, error %v", contentType, again, err)
	}
	policy, err := ImportedPolicy(pair, contentType, &Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.Validate(); err != nil && !isRefused(err, BadPolicy) {
		t.Errorf("the policy of what was imported: %v", err)
	}
}
