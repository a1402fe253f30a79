package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // key identifiers are for finding, not for trust
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// NextKey returns the key for the next certificate by a policy that is valid: the previous one, if there is one, the policy reuses it and it
// is of the policy's type, else a new one. A large RSA key takes seconds.
func (p *Policy) NextKey(previous crypto.Signer) (crypto.Signer, error) {
	if previous != nil && p.Key.ReuseKey != nil && *p.Key.ReuseKey && p.Key.isOf(previous) {
		return previous, nil
	}
	if p.Key.Type == EC {
		key, err := ecdsa.GenerateKey(curves[p.Key.Curve], rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate an EC key: %w", err)
		}
		return key, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, p.Key.Size)
	if err != nil {
		return nil, fmt.Errorf("generate an RSA key: %w", err)
	}
	return key, nil
}

// isOf reports whether a key is of the type and size.
func (k *KeyProperties) isOf(key crypto.Signer) bool {
	found, err := propertiesOf(key)
	return err == nil && found.Type == k.Type && found.Size == k.Size && found.Curve == k.Curve
}

// backdated is how long before its making a certificate begins to be valid, as in Azure: clocks differ.
const backdated = 10 * time.Minute

// SelfSigned makes a certificate by a policy that is valid.
func (p *Policy) SelfSigned(key crypto.Signer, now time.Time) (*KeyPair, error) {
	subject, extensions, err := p.X509.content()
	if err != nil {
		return nil, err
	}
	identifier, err := keyIdentifier(key)
	if err != nil {
		return nil, err
	}
	var serial [16]byte
	_, _ = rand.Read(serial[:])
	now = now.UTC()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]), RawSubject: subject, ExtraExtensions: extensions,
		NotBefore: now.Add(-backdated), NotAfter: addMonths(now, *p.X509.ValidityMonths),
		SubjectKeyId: identifier, AuthorityKeyId: identifier,
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(content)
	if err != nil {
		return nil, fmt.Errorf("read a certificate that was just signed: %w", err)
	}
	return &KeyPair{Key: key, Chain: []*x509.Certificate{leaf}}, nil
}

// Request returns a request for a certificate by a policy that is valid, in DER.
func (p *Policy) Request(key crypto.Signer) ([]byte, error) {
	subject, extensions, err := p.X509.content()
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject, ExtraExtensions: extensions}, key)
	if err != nil {
		return nil, fmt.Errorf("sign a request for a certificate: %w", err)
	}
	return request, nil
}

// content returns the subject in DER, and the extensions.
func (x *X509Properties) content() ([]byte, []pkix.Extension, error) {
	name, err := ParseName(x.Subject)
	if err != nil {
		return nil, nil, err
	}
	subject, err := asn1.Marshal(name)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a subject: %w", err)
	}
	extensions, err := x.extensions()
	return subject, extensions, err
}

// keyIdentifier returns the first form of RFC 5280 section 4.2.1.2.
func keyIdentifier(key crypto.Signer) ([]byte, error) {
	content, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(content, &info); err != nil {
		return nil, fmt.Errorf("read a public key that was just encoded: %w", err)
	}
	sum := sha1.Sum(info.Key.Bytes) // key identifiers are for finding, not for trust
	return sum[:], nil
}

// addMonths returns the same day of a later month, or its last one if it is shorter.
func addMonths(from time.Time, months int) time.Time {
	later := from.AddDate(0, months, 0)
	if later.Day() != from.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

// maxCertificate bounds one certificate.
const maxCertificate = 16 << 10

// Merge returns the certificate that was asked for with Request, from the answer of an authority: certificates in DER, in any order.
func Merge(key crypto.Signer, answer [][]byte) (*KeyPair, error) {
	var certificates []*x509.Certificate
	for _, content := range answer {
		if len(content) > maxCertificate {
			return nil, refuse(TooLarge, "A certificate is larger than %d bytes.", maxCertificate)
		}
		certificate, err := x509.ParseCertificate(content)
		if err != nil {
			return nil, refuse(Malformed, "Property x5c has an item that is not an X.509 certificate.")
		}
		certificates = append(certificates, certificate)
	}
	return newKeyPair(key, certificates)
}
