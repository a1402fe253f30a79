// Package certificate gets a server's certificate by a CertificateSigningRequest, and keeps its key in memory.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/certificate"
)

// The signers of serving certificates. The controller is behind each of them.
const (
	IssuerSigner = "kube-imds.io/issuer-serving"
	SignerSigner = "kube-imds.io/signer-serving"
	OIDCSigner   = "kube-imds.io/oidc-serving"
)

// Lifetime is what is asked for. Every server renews its certificate long before that.
const Lifetime = 7 * 24 * time.Hour

// Serving holds a serving certificate and renews it.
type Serving struct {
	manager certificate.Manager
}

// NewServing asks a signer for certificates with these DNS names.
func NewServing(config *rest.Config, signer string, dnsNames []string) (*Serving, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for certificates: %w", err)
	}
	lifetime := Lifetime
	manager, err := certificate.NewManager(&certificate.Config{
		Name:        "serving",
		SignerName:  signer,
		ClientsetFn: func(*tls.Certificate) (kubernetes.Interface, error) { return client, nil },
		Template: &x509.CertificateRequest{
			Subject: pkix.Name{CommonName: dnsNames[0]}, DNSNames: dnsNames,
		},
		Usages:                       []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
		RequestedCertificateLifetime: &lifetime,
		CertificateStore:             new(memory),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare to ask for a certificate: %w", err)
	}
	return &Serving{manager}, nil
}

// Start keeps the certificate current until the context ends.
func (s *Serving) Start(ctx context.Context) error {
	s.manager.Start()
	defer s.manager.Stop()
	<-ctx.Done()
	return nil
}

// NeedLeaderElection says that every replica has a certificate.
func (s *Serving) NeedLeaderElection() bool { return false }

// Ready tells whether there is a certificate.
func (s *Serving) Ready() bool { return s.manager.Current() != nil }

// GetCertificate is for tls.Config.
func (s *Serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := s.manager.Current(); current != nil {
		return current, nil
	}
	return nil, errors.New("there is no serving certificate yet")
}

// memory is a certificate.Store that keeps a certificate and its key in memory.
type memory struct {
	mu      sync.Mutex
	current *tls.Certificate
}

func (m *memory) Current() (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		missing := certificate.NoCertKeyError("no certificate was issued yet")
		return nil, &missing
	}
	return m.current, nil
}

func (m *memory) Update(certificatePEM, keyPEM []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the issued certificate: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = &pair
	return &pair, nil
}
