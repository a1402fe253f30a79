package certificate

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func TestSecretIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"rsa-pkcs8.pem", "ec-pkcs8.pem"} {
		pair, err := FromPEM(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, contentType := range []string{PEM, PKCS12} {
			secret, err := pair.Secret(contentType, true)
			if err != nil {
				t.Fatal(err)
			}
			again, got, err := Import(secret, "")
			if err != nil || got != contentType {
				t.Errorf("%s as %s: got %s, error %v", file, contentType, got, err)
				continue
			}
			if !isOf(pair.Leaf(), again.Key) || len(again.Chain) != len(pair.Chain) || Thumbprint(again.Leaf()) != Thumbprint(pair.Leaf()) {
				t.Errorf("%s as %s: got %v", file, contentType, again)
			}
		}
	}
}

// Azure's form is the key in PKCS #8, then the chain from the leaf on.
func TestPEMSecret(t *testing.T) {
	t.Parallel()
	pair, err := FromPEM(read(t, "rsa-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for exportable, want := range map[bool]string{true: "PRIVATE KEY CERTIFICATE CERTIFICATE", false: "CERTIFICATE CERTIFICATE"} {
		secret, err := pair.Secret(PEM, exportable)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		var contents [][]byte
		for block, rest := pem.Decode([]byte(secret)); block != nil; block, rest = pem.Decode(rest) {
			kinds, contents = append(kinds, block.Type), append(contents, block.Bytes)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("exportable %v: got %s", exportable, got)
		}
		if first := slices.Index(kinds, "CERTIFICATE"); string(contents[first]) != string(pair.Leaf().Raw) {
			t.Errorf("exportable %v: the leaf is not the first certificate", exportable)
		}
	}
}

func TestPKCS12SecretWithoutKey(t *testing.T) {
	t.Parallel()
	pair, err := FromPEM(read(t, "rsa-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := pair.Secret(PKCS12, false)
	if err != nil {
		t.Fatal(err)
	}
	content, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := pkcs12.DecodeTrustStore(content, "")
	if err != nil || len(certificates) != 2 || !certificates[0].Equal(pair.Leaf()) {
		t.Errorf("got %v, error %v", certificates, err)
	}
	if _, _, err := Import(secret, ""); !isRefused(err, NoKey) {
		t.Errorf("got %v", err)
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	block, _ := pem.Decode(read(t, "ec-pkcs8.pem"))
	pair, err := FromPEM(read(t, "ec-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if got := CER(pair.Leaf()); got != base64.StdEncoding.EncodeToString(block.Bytes) {
		t.Errorf("cer = %s", got)
	}
	if got := Subject(pair.Leaf()); got != `CN=orders, O="Contoso, Inc.", C=US` {
		t.Errorf("subject = %s", got)
	}
	from, to := Validity(pair.Leaf())
	if days := (to - from) / 86400; from != pair.Leaf().NotBefore.Unix() || days != 36500 {
		t.Errorf("valid from %d, for %d days", from, days)
	}
}

// OpenSSL, where there is one, reads what is written: certificates, requests and PKCS #12, without its legacy provider.
func TestOpenSSLAgrees(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl")
	}
	policy := newPolicy(t, everything)
	pair, err := policy.SelfSigned(newKey(t, policy), noon)
	if err != nil {
		t.Fatal(err)
	}
	request, err := policy.Request(pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := pair.encodePKCS12(true)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"DNS:orders.example", "DNS:*.example.com", "email:orders@example.com", "URI:spiffe://example/orders", "IP Address:10.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "UPN"}
	usages := []string{"Digital Signature, Certificate Sign, Decipher Only", "TLS Web Server Authentication, 1.2.3.4"}
	for what, one := range map[string]struct {
		content []byte
		command string
		want    []string
	}{
		"certificate": {pair.Leaf().Raw, "x509 -inform DER -noout -text -nameopt RFC2253", append(slices.Concat(names, usages), `Subject: CN=orders,O=Contoso\, Inc.,C=US`)},
		"request":     {request, "req -inform DER -noout -text -verify -nameopt RFC2253", append(slices.Concat(names, usages), "verify OK", `Subject: CN=orders,O=Contoso\, Inc.,C=US`)},
		"PKCS #12":    {secret, "pkcs12 -nodes -passin pass:", []string{"BEGIN PRIVATE KEY", "BEGIN CERTIFICATE"}},
		"thumbprint":  {pair.Leaf().Raw, "x509 -inform DER -noout -fingerprint -sha1", []string{fingerprint(t, pair)}},
	} {
		file := filepath.Join(t.TempDir(), "content")
		if err := os.WriteFile(file, one.content, 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("openssl", append(strings.Fields(one.command), "-in", file)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", what, err, output)
		}
		for _, want := range one.want {
			if !strings.Contains(string(output), want) {
				t.Errorf("%s: no %q in %s", what, want, output)
			}
		}
	}
}

// fingerprint returns x5t as OpenSSL writes it.
func fingerprint(t *testing.T, pair *KeyPair) string {
	t.Helper()
	sum, err := base64.RawURLEncoding.DecodeString(Thumbprint(pair.Leaf()))
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, one := range sum {
		const digits = "0123456789ABCDEF"
		text = append(text, string([]byte{digits[one>>4], digits[one&15]}))
	}
	return strings.Join(text, ":")
}
