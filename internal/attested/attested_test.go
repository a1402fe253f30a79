package attested

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// now is the time of the document in imds-contract.md section 5.
var now = time.Date(2022, 4, 19, 1, 27, 21, 0, time.UTC)

const (
	vmID         = "02aab8a4-74ef-476e-8182-f6d2ba4166a6"
	subscription = "8d10da13-8125-4ba9-a717-bf7490507b3d"

	plan  = `"plan":{"name":"","product":"","publisher":""}`
	times = `"timeStamp":{"createdOn":"04/19/22 01:27:21 -0000","expiresOn":"04/19/22 07:27:21 -0000"}`
)

func TestContentByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"2018-10-01": `{"nonce":"1234567890",` + plan + `,` + times + `,"vmId":"` + vmID + `"}`,
		"2019-04-30": `{"nonce":"1234567890",` + plan + `,"subscriptionId":"` + subscription + `",` + times + `,"vmId":"` + vmID + `"}`,
		"2019-11-01": `{"nonce":"1234567890",` + plan + `,"sku":"","subscriptionId":"` + subscription + `",` + times + `,"vmId":"` + vmID + `"}`,
		"2020-09-01": `{"licenseType":"","nonce":"1234567890",` + plan + `,"sku":"","subscriptionId":"` + subscription + `",` + times + `,"vmId":"` + vmID + `"}`,
	} {
		got, err := content(Claims{VMID: vmID, SubscriptionID: subscription, Nonce: "1234567890", Version: version}, now.In(time.FixedZone("east", 3600)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
}

func TestDefaultNonceIsTheTime(t *testing.T) {
	t.Parallel()
	got, err := content(Claims{Version: "2018-10-01"}, now)
	if err != nil || !bytes.Contains(got, []byte(`"nonce":"20220419-012721"`)) {
		t.Errorf("got %s, error %v", got, err)
	}
}

// machine is a certificate with its key and its authority.
type machine struct {
	authority *x509.Certificate
	pair      *tls.Certificate
}

func newMachine(t *testing.T) machine {
	t.Helper()
	authorityKey, leafKey := newKey(t), newKey(t)
	authority := signed(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-imds"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now, NotAfter: now.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}, nil, &authorityKey.PublicKey, authorityKey)
	leaf := signed(t, &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "metadata.azure.com"}, DNSNames: Names("", "westeurope"),
		NotBefore: now, NotAfter: now.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, authority, &leafKey.PublicKey, authorityKey)
	return machine{authority, &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, template, parent *x509.Certificate, public *rsa.PublicKey, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (m machine) signer() *Signer {
	return &Signer{Current: func() *tls.Certificate { return m.pair }, Now: func() time.Time { return now }}
}

var claims = Claims{VMID: vmID, SubscriptionID: subscription, Nonce: "1234567890", Version: "2021-02-01"}

func TestEnvelopeIsAzures(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	der, err := m.signer().Attest(claims)
	if err != nil {
		t.Fatal(err)
	}
	var outer contentInfo
	unmarshal(t, der, &outer)
	var data struct {
		Version          int
		DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
		ContentInfo      contentInfo
		Certificates     asn1.RawValue
		SignerInfos      []asn1.RawValue `asn1:"set"`
	}
	unmarshal(t, outer.Content.Bytes, &data)
	if !outer.ContentType.Equal(oidSignedData) || data.Version != 1 || len(data.DigestAlgorithms) != 1 || len(data.SignerInfos) != 1 {
		t.Fatalf("got %v, version %d, %d digests, %d signers", outer.ContentType, data.Version, len(data.DigestAlgorithms), len(data.SignerInfos))
	}
	if got := data.DigestAlgorithms[0].Algorithm.String(); got != "1.2.840.113549.1.1.11" {
		t.Errorf("digest algorithm = %s", got)
	}
	certificates, err := x509.ParseCertificates(data.Certificates.Bytes)
	if err != nil || len(certificates) != 1 || !bytes.Equal(certificates[0].Raw, m.pair.Certificate[0]) {
		t.Errorf("got %d certificates, error %v", len(certificates), err)
	}
	var info signerInfo
	unmarshal(t, data.SignerInfos[0].FullBytes, &info) // fails where there are signed attributes
	var attached []byte
	unmarshal(t, data.ContentInfo.Content.Bytes, &attached)
	digest := sha256.Sum256(attached)
	key := certificates[0].PublicKey.(*rsa.PublicKey)
	if err := rsa.VerifyPKCS1v15(key, 5, digest[:], info.EncryptedDigest); err != nil {
		t.Errorf("the signature does not verify: %v", err)
	}
	if want, _ := content(claims, now); !bytes.Equal(attached, want) {
		t.Errorf("content = %s", attached)
	}
}

func unmarshal(t *testing.T, der []byte, into any) {
	t.Helper()
	if rest, err := asn1.Unmarshal(der, into); err != nil || len(rest) > 0 {
		t.Fatalf("read %T: %v, and %d bytes are left", into, err, len(rest))
	}
}

// TestOpenSSLVerifies follows the instructions in Azure's documentation.
func TestOpenSSLVerifies(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	m, folder := newMachine(t), t.TempDir()
	der, err := m.signer().Attest(claims)
	if err != nil {
		t.Fatal(err)
	}
	document, authority := filepath.Join(folder, "document"), filepath.Join(folder, "ca.pem")
	writeFile(t, document, der)
	writeFile(t, authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.authority.Raw}))
	want, _ := content(claims, now)
	for _, arguments := range [][]string{
		{"smime", "-verify", "-inform", "der", "-noverify", "-in", document},
		{"smime", "-verify", "-inform", "der", "-CAfile", authority, "-purpose", "any", "-in", document},
		{"cms", "-verify", "-inform", "der", "-noverify", "-in", document},
		{"cms", "-verify", "-inform", "der", "-CAfile", authority, "-purpose", "any", "-in", document},
	} {
		output, err := exec.CommandContext(t.Context(), openssl, arguments...).Output()
		if err != nil || !bytes.Equal(bytes.TrimSpace(output), want) {
			t.Errorf("openssl %v: %v: %s", arguments, err, output)
		}
	}
	leaf := filepath.Join(folder, "leaf.pem")
	output, err := exec.CommandContext(t.Context(), openssl, "pkcs7", "-inform", "der", "-print_certs", "-in", document).Output()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, leaf, output)
	if output, err := exec.CommandContext(t.Context(), openssl, "verify", "-CAfile", authority, leaf).CombinedOutput(); err != nil {
		t.Errorf("openssl verify: %v: %s", err, output)
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSignerWithoutCertificate(t *testing.T) {
	t.Parallel()
	nothing := &Signer{Current: func() *tls.Certificate { return nil }, Now: time.Now}
	if _, err := nothing.Attest(claims); !errors.Is(err, errNoCertificate) {
		t.Errorf("without a certificate: %v", err)
	}
	m := newMachine(t)
	m.pair.PrivateKey = nil
	if signed, err := m.signer().Attest(claims); err == nil {
		t.Errorf("without an RSA key: %x", signed)
	}
}

func TestNamesOfClouds(t *testing.T) {
	t.Parallel()
	// The names that coder's verifier accepts (imds-contract.md section 5).
	taken := regexp.MustCompile(`^(.*\.)?metadata\.(azure\.(com|us|cn)|microsoftazure\.de)$`)
	for cloud, want := range map[string]string{
		"AzurePublicCloud": "metadata.azure.com", "AzureUSGovernmentCloud": "metadata.azure.us", "AzureChinaCloud": "metadata.azure.cn",
		"AzureGermanCloud": "metadata.microsoftazure.de", "": "metadata.azure.com",
	} {
		got := Names(cloud, "westeurope")
		if diff := cmp.Diff([]string{want, "westeurope." + want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", cloud, diff)
		}
		if !taken.MatchString(got[0]) || !taken.MatchString(got[1]) || !IsDomain(got[0]) || IsDomain(got[1]) {
			t.Errorf("names %q are not accepted", got)
		}
	}
	if got := Names("AzurePublicCloud", ""); len(got) != 1 {
		t.Errorf("names without a location = %q", got)
	}
}
