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
	"slices"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

const (
	// LongestTerm bounds how long a key signs.
	LongestTerm = 365 * 24 * time.Hour

	// Keep is how long a retired certificate stays in the bundle: until the last leaf that it signed has expired.
	Keep = certificate.Lifetime + time.Hour

	// lifetime is the validity of a certificate: a term of waiting, a term of signing, and Keep.
	lifetime = 2*LongestTerm + Keep

	// backdated allows for differences of clocks.
	backdated = 5 * time.Minute
)

// CA is a certificate of the authority with its key.
type CA struct {
	Certificate *x509.Certificate

	key crypto.Signer
}

// NewCA returns a CA that can sign certificates for these DNS names and those below them, and for nothing else.
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
		// A name of its own, for verifiers that find an issuer by its name alone.
		Subject:      pkix.Name{CommonName: "kube-imds " + hex.EncodeToString(id)},
		SubjectKeyId: id,
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,

		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,

		PermittedDNSDomainsCritical: true, PermittedDNSDomains: domains,
		// Permitted DNS names do not constrain other kinds of names.
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

// Sign signs a template, which has its times. The CA's own certificate is below authorityURL.
func (c *CA) Sign(template *x509.Certificate, authorityURL string, now time.Time) (*x509.Certificate, error) {
	if !now.Before(c.Certificate.NotAfter) {
		return nil, errors.New("the authority's own certificate has expired")
	}
	for _, name := range template.DNSNames {
		if !Permits(c.Certificate, name) {
			return nil, fmt.Errorf("%w: %s", ErrNotPermitted, name)
		}
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

// ErrNotPermitted is the error of a name for which the CA may not sign. Nobody would trust a certificate with it, for its other names
// either.
var ErrNotPermitted = errors.New("the authority's own certificate does not permit the name")

// Permits reports whether a CA may sign for a DNS name. One without constraints, of an earlier release, may sign for every name.
func Permits(ca *x509.Certificate, name string) bool {
	return len(ca.PermittedDNSDomains) == 0 || slices.ContainsFunc(ca.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

// slot returns the CA as a slot of a ring.
func (c *CA) slot() (keyring.Slot, error) {
	private, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return keyring.Slot{}, fmt.Errorf("encode the authority's key: %w", err)
	}
	return keyring.Slot{ID: cabundle.KeyID(c.Certificate), Private: private, Certificate: c.Certificate.Raw}, nil
}

// open returns the CA in a slot.
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
