package certificate

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func encoded(content []byte) string { return base64.StdEncoding.EncodeToString(content) }

// The files are OpenSSL's: see testdata/generate.sh.
func TestImport(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		file, password string
		certificates   int
	}{
		{"rsa-pkcs8.pem", "", 2},
		{"rsa-pkcs1.pem", "", 1},
		{"ec-sec1.pem", "", 1},
		{"ec-pkcs8.pem", "", 1},
		{"aes.pfx", "secret", 2},
		{"3des.pfx", "secret", 2},
		{"rc2.pfx", "secret", 2},
		{"ec.pfx", "secret", 2},
		{"empty-password.pfx", "", 2},
		{"no-mac.pfx", "", 1},
	} {
		want := PKCS12
		values := []string{encoded(read(t, one.file)), encoded(read(t, one.file)) + "\n"}
		if strings.HasSuffix(one.file, ".pem") {
			want, values = PEM, append(values, string(read(t, one.file)))
		}
		for _, value := range values {
			pair, contentType, err := Import(value, one.password)
			if err != nil {
				t.Errorf("%s: %v", one.file, err)
				continue
			}
			if contentType != want || len(pair.Chain) != one.certificates || pair.Leaf().Subject.CommonName != "orders" {
				t.Errorf("%s: %s with %d certificates, the first of %s", one.file, contentType, len(pair.Chain), pair.Leaf().Subject)
			}
			if !isOf(pair.Leaf(), pair.Key) {
				t.Errorf("%s: the key is not the leaf's", one.file)
			}
			if len(pair.Chain) == 2 {
				if err := pair.Leaf().CheckSignatureFrom(pair.Chain[1]); err != nil {
					t.Errorf("%s: %v", one.file, err)
				}
			}
		}
	}
}

func TestImportedPolicyIsTheCertificates(t *testing.T) {
	t.Parallel()
	pair, contentType, err := Import(encoded(read(t, "ec.pfx")), "secret")
	if err != nil {
		t.Fatal(err)
	}
	asked := &Policy{
		Key: KeyProperties{Type: RSA, Size: 4096, Exportable: new(false)}, X509: X509Properties{Subject: "CN=ignored"}, Secret: SecretProperties{PEM},
	}
	got, err := ImportedPolicy(pair, contentType, asked)
	if err != nil {
		t.Fatal(err)
	}
	want := newPolicy(t, `{"key_props":{"kty":"EC","crv":"P-256","exportable":false},"secret_props":{"contentType":"application/x-pem-file"},
		"issuer":{"name":"Unknown"},"x509_props":{"subject":"CN=orders, O=\"Contoso, Inc.\", C=US","ekus":["1.3.6.1.5.5.7.3.1","1.2.3.4"],
		"key_usage":["digitalSignature","keyEncipherment"],"validity_months":1199,"sans":{"dns_names":["orders.example"],"emails":["orders@example.com"],
		"upns":["orders@contoso.com"],"uris":["spiffe://example/orders"],"ipAddresses":["10.0.0.1"]}}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	plain, err := ImportedPolicy(pair, contentType, &Policy{})
	if err != nil || plain.Secret.ContentType != PKCS12 || !*plain.Key.Exportable {
		t.Errorf("got %+v, error %v", plain, err)
	}
}

func TestBadImportsAreRefused(t *testing.T) {
	t.Parallel()
	certificate, rest := pem.Decode(read(t, "ec-pkcs8.pem"))
	key, _ := pem.Decode(rest)
	chain, secret := string(pem.EncodeToMemory(certificate)), string(pem.EncodeToMemory(key))
	block := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	another := newKey(t, newPolicy(t, `{"key_props":{"kty":"EC"}}`))
	damaged := strings.Replace(chain, "\n", "\n!", 1)
	for what, one := range map[string]struct {
		value, password string
		want            Reason
	}{
		"nothing":                    {"", "", Malformed},
		"neither base64 nor PEM":     {"!", "", Malformed},
		"neither DER nor PEM":        {encoded([]byte("certificate")), "", Malformed},
		"large value":                {strings.Repeat("A", 2*maxImport+1), "", TooLarge},
		"large PFX":                  {encoded(make([]byte, maxImport+1)), "", TooLarge},
		"large PEM":                  {begin + strings.Repeat("a", maxImport), "", TooLarge},
		"PEM without a key":          {chain, "", NoKey},
		"PEM without a certificate":  {secret, "", NoCertificate},
		"PEM with two keys":          {chain + secret + secret, "", Malformed},
		"PEM with a CSR":             {chain + secret + block("CERTIFICATE REQUEST", nil), "", Malformed},
		"PEM with a CSR first":       {block("CERTIFICATE REQUEST", nil) + chain + secret, "", Malformed},
		"PEM with a damaged block":   {damaged + chain + secret, "", Malformed},
		"PEM with a bad certificate": {block("CERTIFICATE", []byte("a")) + secret, "", Malformed},
		"PEM with a bad PKCS #8":     {chain + block("PRIVATE KEY", []byte("a")), "", Malformed},
		"PEM with a bad PKCS #1":     {chain + block("RSA PRIVATE KEY", []byte("a")), "", Malformed},
		"PEM with a bad SEC 1":       {chain + block("EC PRIVATE KEY", []byte("a")), "", Malformed},
		"PEM with a large key":       {chain + block("RSA PRIVATE KEY", make([]byte, maxKey+1)), "", TooLarge},
		"PEM with many certificates": {strings.Repeat(chain, maxChain+1) + secret, "", TooLarge},
		"encrypted PKCS #8":          {string(read(t, "rsa-encrypted.pem")), "", EncryptedKey},
		"encrypted PKCS #1":          {string(read(t, "rsa-encrypted-pkcs1.pem")), "", EncryptedKey},
		"Ed25519":                    {chain + block("PRIVATE KEY", mustMarshal(t, other)), "", UnsupportedKey},
		"RSA key of three primes":    {chain + string(read(t, "rsa-three-primes.key")), "", UnsupportedKey},
		"small RSA key":              {chain + block("PRIVATE KEY", mustMarshal(t, unsupported(t))), "", UnsupportedKey},
		"key of another certificate": {chain + block("PRIVATE KEY", mustMarshal(t, another)), "", KeyMismatch},
		"wrong password":             {encoded(read(t, "aes.pfx")), "Secret", WrongPassword},
		"no password":                {encoded(read(t, "rc2.pfx")), "", WrongPassword},
		"password of nothing":        {encoded(read(t, "no-mac.pfx")), "secret", WrongPassword},
		"password of an emoji":       {encoded(read(t, "aes.pfx")), "\U0001F511", WrongPassword},
		"password not of UTF-8":      {encoded(read(t, "aes.pfx")), "\xff", WrongPassword},
		"long password":              {encoded(read(t, "aes.pfx")), strings.Repeat("a", maxPassword+1), TooLarge},
		"PFX without a key":          {encoded(read(t, "no-key.pfx")), "secret", NoKey},
		"PFX with something behind":  {encoded(append(read(t, "aes.pfx"), 0)), "secret", Malformed},
		"PFX that is cut":            {encoded(read(t, "aes.pfx")[:1000]), "secret", Malformed},
		"iterations of the MAC":      {encoded(read(t, "iterations.pfx")), "secret", TooLarge},
		"iterations of encryption":   {encoded(read(t, "iterations-of-encryption.pfx")), "secret", TooLarge},
	} {
		pair, _, err := Import(one.value, one.password)
		if !isRefused(err, one.want) {
			t.Errorf("%s: got %v, error %v", what, pair, err)
			continue
		}
		for _, line := range strings.Split(secret, "\n")[1:3] {
			if strings.Contains(err.Error(), line) {
				t.Errorf("%s: the refusal quotes the key", what)
			}
		}
	}
}

func mustMarshal(t *testing.T, key any) []byte {
	t.Helper()
	content, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
