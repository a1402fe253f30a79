// Package cabundle is the certificates of the installation's authority, for those who verify: the one that signs first,
// then its successor, then those whose signatures may still be valid.
package cabundle

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
)

// Key is the key of the PEM bundle in the authority's Secret and ConfigMap.
const Key = "ca.crt"

// maxCertificates bounds the certificates read from a bundle.
const maxCertificates = 64

// Bundle is the certificates of an authority. The first one signs.
type Bundle []*x509.Certificate

// Parse parses a bundle of at least one certificate.
func Parse(text []byte) (Bundle, error) {
	var bundle Bundle
	for block, rest := pem.Decode(text); block != nil && len(bundle) < maxCertificates; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the authority's certificates: %w", err)
		}
		bundle = append(bundle, certificate)
	}
	if len(bundle) == 0 {
		return nil, fmt.Errorf("read the authority's certificates: there are none")
	}
	return bundle, nil
}

// PEM returns the bundle in the form that Parse parses.
func (b Bundle) PEM() []byte {
	var text []byte
	for _, certificate := range b {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return text
}

// Pool returns a pool with all certificates of the bundle.
func (b Bundle) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range b {
		pool.AddCert(certificate)
	}
	return pool
}

// Find returns the certificate with a key ID, or nil.
func (b Bundle) Find(keyID string) *x509.Certificate {
	for _, certificate := range b {
		if KeyID(certificate) == keyID {
			return certificate
		}
	}
	return nil
}

// SignerOf returns the index of the certificate that signed a leaf: 0 is the current one, and a negative one means none.
func (b Bundle) SignerOf(leaf *x509.Certificate) int {
	for rank, certificate := range b {
		if leaf.CheckSignatureFrom(certificate) == nil {
			return rank
		}
	}
	return -1
}

// KeyID returns the ID of an authority's key: the certificate's subject key identifier in hexadecimal.
func KeyID(certificate *x509.Certificate) string { return hex.EncodeToString(certificate.SubjectKeyId) }
