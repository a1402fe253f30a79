// Package certificate makes, imports and shows the certificates of Key Vault: policies, self-signed certificates, requests for certificates
// of other authorities, PFX and PEM, and the secret behind a certificate. It keeps nothing and knows no HTTP.
package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1" // x5t is defined with SHA-1
	"crypto/x509"
	"encoding/base64"
	"slices"
)

// KeyPair is a certificate with its private key.
type KeyPair struct {
	Key crypto.Signer

	// Chain begins with the certificate of the key. The others follow as each is the issuer of the one before it, as far as they are there.
	Chain []*x509.Certificate
}

// maxChain is the largest number of certificates in a chain.
const maxChain = 16

// newKeyPair finds the certificate of a key among others, which may be in any order.
func newKeyPair(key crypto.Signer, certificates []*x509.Certificate) (*KeyPair, error) {
	if _, err := propertiesOf(key); err != nil {
		return nil, err
	}
	switch {
	case len(certificates) == 0:
		return nil, refuse(NoCertificate, "There is no certificate.")
	case len(certificates) > maxChain:
		return nil, refuse(TooLarge, "There are more than %d certificates.", maxChain)
	}
	leaf := slices.IndexFunc(certificates, func(one *x509.Certificate) bool { return isOf(one, key) })
	if leaf < 0 {
		return nil, refuse(KeyMismatch, "No certificate has the public key of the private key.")
	}
	return &KeyPair{Key: key, Chain: ordered(certificates[leaf], slices.Delete(slices.Clone(certificates), leaf, leaf+1))}, nil
}

// isOf reports whether a certificate is of a key.
func isOf(certificate *x509.Certificate, key crypto.Signer) bool {
	public, ok := certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

// ordered returns the chain from a leaf on, then what is not part of it.
func ordered(leaf *x509.Certificate, rest []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for last := leaf; ; last = chain[len(chain)-1] {
		next := slices.IndexFunc(rest, func(one *x509.Certificate) bool { return bytes.Equal(one.RawSubject, last.RawIssuer) })
		if next < 0 || bytes.Equal(last.RawSubject, last.RawIssuer) {
			return append(chain, rest...)
		}
		chain = append(chain, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
}

// Leaf returns the certificate of the key.
func (p *KeyPair) Leaf() *x509.Certificate { return p.Chain[0] }

// Thumbprint returns a bundle's x5t.
func Thumbprint(certificate *x509.Certificate) string {
	sum := sha1.Sum(certificate.Raw) // x5t is defined with SHA-1
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CER returns a bundle's cer.
func CER(certificate *x509.Certificate) string {
	return base64.StdEncoding.EncodeToString(certificate.Raw)
}

// Validity returns a bundle's nbf and exp, in seconds since 1970 UTC.
func Validity(certificate *x509.Certificate) (notBefore, expires int64) {
	return certificate.NotBefore.Unix(), certificate.NotAfter.Unix()
}

// propertiesOf returns type and size of a key. Keys that no policy can ask for are refused.
func propertiesOf(key crypto.Signer) (KeyProperties, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if size := key.N.BitLen(); slices.Contains(sizes, size) && len(key.Primes) == 2 {
			return KeyProperties{Type: RSA, Size: size}, nil
		}
	case *ecdsa.PrivateKey:
		for name, curve := range curves {
			if key.Curve == curve {
				return KeyProperties{Type: EC, Curve: name, Size: curve.Params().BitSize}, nil
			}
		}
	}
	return KeyProperties{}, unsupportedKey()
}

func unsupportedKey() *Refusal {
	return refuse(UnsupportedKey, "The private key must be of RSA with 2048, 3072 or 4096 bits, or of P-256, P-384 or P-521.")
}

// sizes are those of RSA keys.
var sizes = []int{2048, 3072, 4096}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
