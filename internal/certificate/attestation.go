package certificate

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"
)

// AttestationSigner signs the certificates that pods are attested with. The controller is behind it.
const AttestationSigner = "kube-imds.io/attestation"

const (
	// attestationKeyBits is the size of Azure's keys (imds-contract.md section 5).
	attestationKeyBits = 2048

	// attestationPatience is how long a request for a certificate may take before it is made anew.
	attestationPatience = 5 * time.Minute

	// attestationPause is how long a request that failed is not made again.
	attestationPause = 10 * time.Second

	// namesInterval is how often the names are looked at.
	namesInterval = time.Minute
)

// Attestation holds a certificate to attest pods with, and renews it. Unlike Serving's, its key is an RSA key, as what
// reads attested documents expects.
type Attestation struct {
	client  kubernetes.Interface
	names   func(context.Context) ([]string, error)
	log     logr.Logger
	current atomic.Pointer[tls.Certificate]
	renewAt time.Time
}

// NewAttestation asks for certificates with DNS names that are found out when they are needed, the subject's common name
// first.
func NewAttestation(config *rest.Config, names func(context.Context) ([]string, error), log logr.Logger) (*Attestation, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for certificates: %w", err)
	}
	return &Attestation{client: client, names: names, log: log}, nil
}

// Current is the certificate, or nil while there is none.
func (a *Attestation) Current() *tls.Certificate { return a.current.Load() }

// NeedLeaderElection says that every replica has a certificate.
func (a *Attestation) NeedLeaderElection() bool { return false }

// Start keeps the certificate current until the context ends.
func (a *Attestation) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := namesInterval
		if err := a.renewIfDue(ctx); err != nil && ctx.Err() == nil {
			a.log.Error(err, "there is no new certificate to attest pods with")
			pause = attestationPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// renewIfDue asks for a certificate where there is none, where it is time, and where the names are others.
func (a *Attestation) renewIfDue(ctx context.Context) error {
	names, err := a.names(ctx)
	if err != nil {
		return fmt.Errorf("find out what to ask a certificate for: %w", err)
	}
	if current := a.Current(); current != nil && slices.Equal(current.Leaf.DNSNames, names) && time.Now().Before(a.renewAt) {
		return nil
	}
	if err := a.renew(ctx, names); err != nil {
		return err
	}
	a.renewAt = renewAt(a.Current().Leaf)
	return nil
}

// renewAt is until when a certificate is good enough: two thirds of its life, less a little that differs from replica to
// replica.
func renewAt(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotBefore.Add(life*2/3 - wait.Jitter(life/100, 5))
}

// renew asks for a certificate of a new key.
func (a *Attestation) renew(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, attestationPatience)
	defer cancel()
	key, err := rsa.GenerateKey(rand.Reader, attestationKeyBits)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
	}, key)
	if err != nil {
		return fmt.Errorf("make a request for a certificate: %w", err)
	}
	issued, err := a.request(ctx, request, key)
	if err != nil {
		return err
	}
	encodedKey, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("encode the key: %w", err)
	}
	pair, err := tls.X509KeyPair(issued, encodedKey)
	if err != nil {
		return fmt.Errorf("read the issued certificate: %w", err)
	}
	a.current.Store(&pair)
	a.log.Info("attesting pods with a certificate", "names", names, "expires", pair.Leaf.NotAfter)
	return nil
}

func (a *Attestation) request(ctx context.Context, request []byte, key *rsa.PrivateKey) ([]byte, error) {
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})
	lifetime := Lifetime
	usages := []certificatesv1.KeyUsage{
		certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth,
	}
	name, uid, err := csr.RequestCertificateWithContext(ctx, a.client, encoded, "", AttestationSigner, &lifetime, usages, key)
	if err != nil {
		return nil, fmt.Errorf("ask for a certificate: %w", err)
	}
	issued, err := csr.WaitForCertificate(ctx, a.client, name, uid)
	if err != nil {
		return nil, fmt.Errorf("wait for a certificate: %w", err)
	}
	return issued, nil
}
