// Package cabundle is the certificates of the installation's authority, as those know them who verify what it signed: the one
// that signs first, then its successor, then those that have signed what may still be valid.
package cabundle

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
)

// Key is the key of the bundle, in PEM, in the authority's Secret and in its ConfigMap.
const Key = "ca.crt"

// maxCertificates bounds how many certificates of a bundle are read.
const maxCertificates = 64

// Bundle is the certificates of an authority, the one that signs first.
type Bundle []*x509.Certificate

// Parse reads a bundle, which has at least one certificate.
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
		return nil, fmt.Errorf("read the authority's certificates: there is none")
	}
	return bundle, nil
}

// PEM is the bundle as Parse reads it.
func (b Bundle) PEM() []byte {
	var text []byte
	for _, certificate := range b {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return text
}

// Pool has all certificates of the bundle.
func (b Bundle) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range b {
		pool.AddCert(certificate)
	}
	return pool
}

// Find is the certificate of a key ID; nil where there is none.
func (b Bundle) Find(keyID string) *x509.Certificate {
	for _, certificate := range b {
		if KeyID(certificate) == keyID {
			return certificate
		}
	}
	return nil
}

// SignerOf is the rank of the certificate whose key has signed a leaf: 0 is the one that signs now, and less than that none
// of the bundle.
func (b Bundle) SignerOf(leaf *x509.Certificate) int {
	for rank, certificate := range b {
		if leaf.CheckSignatureFrom(certificate) == nil {
			return rank
		}
	}
	return -1
}

// KeyID is the ID of an authority's key: its certificate's subject key identifier, in hexadecimal digits.
func KeyID(certificate *x509.Certificate) string { return hex.EncodeToString(certificate.SubjectKeyId) }
