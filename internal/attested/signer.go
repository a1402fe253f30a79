package attested

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

var errNoCertificate = errors.New("there is no certificate to attest with yet")

// Signer signs documents with a certificate that others renew.
type Signer struct {
	// Current returns the certificate with its RSA key; nil while there is none.
	Current func() *tls.Certificate

	Now func() time.Time
}

// Attest returns a signed document: PKCS #7 in DER.
func (s *Signer) Attest(claims Claims) ([]byte, error) {
	current := s.Current()
	if current == nil {
		return nil, errNoCertificate
	}
	key, ok := current.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("attested documents are signed with RSA keys alone")
	}
	leaf, err := x509.ParseCertificate(current.Certificate[0])
	if err != nil {
		return nil, err
	}
	signed, err := content(claims, s.Now())
	if err != nil {
		return nil, err
	}
	return seal(signed, leaf, key)
}
