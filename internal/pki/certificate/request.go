package certificate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/certificate/csr"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// The signer names of CertificateSigningRequests. The controller signs for each of them.
const (
	IssuerSigner = "kube-imds.io/issuer-serving"
	SignerSigner = "kube-imds.io/signer-serving"
	OIDCSigner   = "kube-imds.io/oidc-serving"

	// KeyVaultSigner signs certificates for all vaults.
	KeyVaultSigner = "kube-imds.io/keyvault-serving"

	// StorageSigner signs certificates for all storage accounts.
	StorageSigner = "kube-imds.io/storage-serving"

	// AttestationSigner signs the certificates that attest pods.
	AttestationSigner = "kube-imds.io/attestation"
)

// attestationKeyBits is the size of Azure's keys (imds-contract.md section 5).
const attestationKeyBits = 2048

// KeepServing returns a serving certificate that a signer issues.
func KeepServing(config *rest.Config, signer string, dnsNames []string, authorities *cabundle.Latest, log logr.Logger) (*Kept, error) {
	asking, err := newAsking(config, signer, certificatesv1.UsageServerAuth)
	if err != nil {
		return nil, err
	}
	return Keep(Wanted{Names: Always(dnsNames), NewKey: NewECDSA, Issue: asking.issue, Authorities: authorities}, log), nil
}

// KeepAttestation returns a certificate to attest pods with. Its key is RSA, because readers of attested documents expect
// that; certificate libraries renew ECDSA keys only, so this package does it.
func KeepAttestation(config *rest.Config, names func(context.Context) ([]string, error), authorities *cabundle.Latest, log logr.Logger) (*Kept, error) {
	asking, err := newAsking(config, AttestationSigner, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth)
	if err != nil {
		return nil, err
	}
	newKey := func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, attestationKeyBits) }
	return Keep(Wanted{Names: names, NewKey: newKey, Issue: asking.issue, Authorities: authorities}, log), nil
}

// Always returns fixed names.
func Always(dnsNames []string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return dnsNames, nil }
}

// NewECDSA returns a key for TLS.
func NewECDSA() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// asking gets certificates by CertificateSigningRequests.
type asking struct {
	client kubernetes.Interface
	signer string
	usages []certificatesv1.KeyUsage
}

func newAsking(config *rest.Config, signer string, usages ...certificatesv1.KeyUsage) (*asking, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for certificates: %w", err)
	}
	return &asking{client, signer, append([]certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature}, usages...)}, nil
}

func (a *asking) issue(ctx context.Context, request *x509.CertificateRequest, key crypto.Signer) ([]byte, error) {
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request.Raw})
	lifetime := Lifetime
	name, uid, err := csr.RequestCertificateWithContext(ctx, a.client, encoded, "", a.signer, &lifetime, a.usages, key)
	if err != nil {
		return nil, fmt.Errorf("ask for a certificate: %w", err)
	}
	issued, err := csr.WaitForCertificate(ctx, a.client, name, uid)
	if err != nil {
		return nil, fmt.Errorf("wait for a certificate: %w", err)
	}
	return issued, nil
}
