package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

const (
	// LongestTerm is how long a key may sign at most.
	LongestTerm = 365 * 24 * time.Hour

	// Keep is how long a certificate stays in the bundle after it has signed the last leaf: until that has expired.
	Keep = certificate.Lifetime + time.Hour

	// lifetime is how long a certificate is good: for a term it waits, for a term it signs, and then it is kept.
	lifetime = 2*LongestTerm + Keep

	// backdated is what clocks may differ by.
	backdated = 5 * time.Minute
)

// CA is one certificate of the authority, and its key.
type CA struct {
	Certificate *x509.Certificate

	key crypto.Signer
}

// NewCA makes a CA that signs certificates for these DNS names and those below them, and for nothing else.
func NewCA(domains []string, now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode the authority's key: %w", err)
	}
	digest := sha256.Sum256(public)
	id := digest[:20]
	template := &x509.Certificate{
		// Each has a name of its own, for those who find a certificate's issuer by its name alone.
		Subject:      pkix.Name{CommonName: "kube-imds " + hex.EncodeToString(id)},
		SubjectKeyId: id,
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,

		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,

		PermittedDNSDomainsCritical: true, PermittedDNSDomains: domains,
		// What is no DNS name is not confined by the DNS names that are permitted.
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority's new certificate: %w", err)
	}
	return &CA{made, key}, nil
}

// Sign makes a certificate of a template, which says when it is good and, below authorityURL, where the CA's own is found.
func (c *CA) Sign(template *x509.Certificate, authorityURL string, now time.Time) (*x509.Certificate, error) {
	if !now.Before(c.Certificate.NotAfter) {
		return nil, errors.New("the authority's own certificate has expired")
	}
	leaf := *template
	leaf.NotBefore, leaf.NotAfter = now.Add(-backdated), now.Add(certificate.Lifetime)
	if leaf.NotAfter.After(c.Certificate.NotAfter) {
		leaf.NotAfter = c.Certificate.NotAfter
	}
	leaf.IssuingCertificateURL = []string{authorityURL + cabundle.CertificatePath(c.Certificate)}
	der, err := x509.CreateCertificate(rand.Reader, &leaf, c.Certificate, template.PublicKey, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// slot is the CA as a ring holds it.
func (c *CA) slot() (keyring.Slot, error) {
	private, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return keyring.Slot{}, fmt.Errorf("encode the authority's key: %w", err)
	}
	return keyring.Slot{ID: cabundle.KeyID(c.Certificate), Private: private, Certificate: c.Certificate.Raw}, nil
}

// open is the CA in a slot.
func open(slot keyring.Slot) (*CA, error) {
	found, err := certificateIn(slot)
	if err != nil {
		return nil, err
	}
	key, err := slot.Signer()
	if err != nil {
		return nil, fmt.Errorf("read key %s of the authority: %w", slot.ID, err)
	}
	return &CA{found, key}, nil
}

func certificateIn(slot keyring.Slot) (*x509.Certificate, error) {
	found, err := x509.ParseCertificate(slot.Certificate)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s of the authority: %w", slot.ID, err)
	}
	return found, nil
}
