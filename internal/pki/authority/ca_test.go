package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

var domains = []string{"kube-imds-issuer.imds.svc", "kube-imds-issuer.imds.svc.cluster.local", "metadata.azure.com"}

func TestCertificateOfACA(t *testing.T) {
	t.Parallel()
	now := time.Now()
	made := newCA(t, now)
	got := made.Certificate
	if !got.IsCA || !got.MaxPathLenZero || got.MaxPathLen != 0 || !got.PermittedDNSDomainsCritical {
		t.Errorf("certificate = %+v", got)
	}
	if life := got.NotAfter.Sub(now); life > 2*366*24*time.Hour+Keep || life < 2*LongestTerm+Keep-time.Second {
		t.Errorf("valid for %s", life)
	}
	if other := newCA(t, now); cabundle.KeyID(other.Certificate) == cabundle.KeyID(got) || other.Certificate.Subject.String() == got.Subject.String() {
		t.Error("two have the same ID or name")
	}
}

// A thief of the key can sign anything, but clients that know the authority must refuse names outside of it.
func TestCAIsValidForItsOwnNamesOnly(t *testing.T) {
	t.Parallel()
	made := newCA(t, time.Now())
	for name, test := range map[string]struct {
		forged x509.Certificate
		host   string
		good   bool
	}{
		"Service of the installation": {x509.Certificate{DNSNames: domains[:1]}, domains[0], true},
		"node's issuer":               {x509.Certificate{DNSNames: []string{"node-1." + domains[0]}}, "node-1." + domains[0], true},
		"attestation of a location":   {x509.Certificate{DNSNames: []string{"westeurope.metadata.azure.com"}}, "westeurope.metadata.azure.com", true},
		"another Service":             {x509.Certificate{DNSNames: []string{"kubernetes.default.svc"}}, "kubernetes.default.svc", false},
		"similar name":                {x509.Certificate{DNSNames: []string{"xkube-imds-issuer.imds.svc"}}, "xkube-imds-issuer.imds.svc", false},
		"own and another name":        {x509.Certificate{DNSNames: []string{domains[0], "vault.azure.net"}}, domains[0], false},
		"IPv4 address":                {x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 96, 0, 1)}}, "10.96.0.1", false},
		"IPv6 address":                {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("fd00::1")}}, "fd00::1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaf := made.forge(t, test.forged)
			_, err := leaf.Verify(x509.VerifyOptions{Roots: cabundle.Bundle{made.Certificate}.Pool(), DNSName: test.host})
			if (err == nil) != test.good {
				t.Errorf("crypto/x509: %v", err)
			}
			opensslSays(t, made.Certificate, leaf, test.good)
		})
	}
	t.Run("another authority", func(t *testing.T) {
		t.Parallel()
		below := &CA{key: newKey(t)}
		template := x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, PublicKey: below.key.Public()}
		below.Certificate = made.forge(t, template)
		leaf := below.forge(t, x509.Certificate{DNSNames: domains[:1]})
		if _, err := leaf.Verify(x509.VerifyOptions{
			Roots: cabundle.Bundle{made.Certificate}.Pool(), Intermediates: cabundle.Bundle{below.Certificate}.Pool(),
		}); err == nil {
			t.Error("crypto/x509 accepts it")
		}
	})
}

func opensslSays(t *testing.T, authority, leaf *x509.Certificate, good bool) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("there is no openssl to ask too")
		return
	}
	folder := t.TempDir()
	files := map[string]*x509.Certificate{filepath.Join(folder, "authority"): authority, filepath.Join(folder, "leaf"): leaf}
	for file, content := range files {
		if err := os.WriteFile(file, cabundle.Bundle{content}.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-CAfile", filepath.Join(folder, "authority"), filepath.Join(folder, "leaf")).CombinedOutput()
	if (err == nil) != good {
		t.Errorf("openssl: %v: %s", err, output)
	}
}

func TestSignedLeaf(t *testing.T) {
	t.Parallel()
	now := time.Now()
	made := newCA(t, now)
	leaf, err := made.Sign(&x509.Certificate{DNSNames: domains[:1], PublicKey: newKey(t).Public()}, "http://authority", now)
	if err != nil {
		t.Fatal(err)
	}
	if want := "http://authority/ca/" + cabundle.KeyID(made.Certificate) + ".cer"; len(leaf.IssuingCertificateURL) != 1 || leaf.IssuingCertificateURL[0] != want {
		t.Errorf("issuing certificate URL = %q, want %s", leaf.IssuingCertificateURL, want)
	}
	if life := leaf.NotAfter.Sub(now); life > certificate.Lifetime || life < certificate.Lifetime-time.Minute {
		t.Errorf("valid for %s", life)
	}
	late := made.Certificate.NotAfter.Add(-time.Hour)
	if leaf, err = made.Sign(&x509.Certificate{DNSNames: domains[:1], PublicKey: newKey(t).Public()}, "", late); err != nil || leaf.NotAfter.After(made.Certificate.NotAfter) {
		t.Errorf("a leaf outlives its authority: %v", err)
	}
	if _, err := made.Sign(&x509.Certificate{PublicKey: newKey(t).Public()}, "", made.Certificate.NotAfter); err == nil {
		t.Error("an expired authority signs")
	}
}

// forge signs any template.
func (c *CA) forge(t *testing.T, template x509.Certificate) *x509.Certificate {
	t.Helper()
	if template.PublicKey == nil {
		template.PublicKey = newKey(t).Public()
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	if template.KeyUsage == 0 {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, c.Certificate, template.PublicKey, c.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newCA(t *testing.T, now time.Time) *CA {
	t.Helper()
	made, err := NewCA(domains, now)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pemOf returns a key in PEM, as an earlier release stored it.
func pemOf(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// A certificate with a name that is not permitted would be rejected for its other names too.
func TestCASignsForPermittedNamesOnly(t *testing.T) {
	t.Parallel()
	made := newCA(t, time.Now())
	for name, permitted := range map[string]bool{
		domains[0]: true, "below." + domains[0]: true, "*." + domains[0]: true, "x" + domains[0]: false, "orders.vault.azure.net": false,
	} {
		leaf, err := made.Sign(&x509.Certificate{DNSNames: []string{domains[0], name}, PublicKey: newKey(t).Public()}, "", time.Now())
		if permitted != (err == nil) || err != nil && !errors.Is(err, ErrNotPermitted) {
			t.Errorf("%s: permitted: %t, error %v", name, permitted, err)
		}
		if leaf == nil {
			continue
		}
		pool := x509.NewCertPool()
		pool.AddCert(made.Certificate)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
			t.Errorf("%s: the leaf is not trusted: %v", name, err)
		}
	}
}
