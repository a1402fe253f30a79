package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is a SHA-1
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"
)

// signingKey signs tokens. Its ID is the x5t of its certificate, as Entra's are.
type signingKey struct {
	private     *rsa.PrivateKey
	certificate []byte
	id          string
}

func newSigningKey() (*signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the stand-in's key: %w", err)
	}
	// Nobody looks at a certificate in a JWKS but for its key.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in for Entra ID"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the stand-in's key: %w", err)
	}
	thumbprint := sha1.Sum(certificate)
	return &signingKey{private, certificate, base64.RawURLEncoding.EncodeToString(thumbprint[:])}, nil
}

// jwk is a key as Entra publishes it. Version 2 has the issuer and the cloud.
type jwk struct {
	Type        string   `json:"kty"`
	Use         string   `json:"use"`
	ID          string   `json:"kid"`
	Thumbprint  string   `json:"x5t"`
	Modulus     string   `json:"n"`
	Exponent    string   `json:"e"`
	Certificate []string `json:"x5c"`
	Cloud       string   `json:"cloud_instance_name,omitempty"`
	Issuer      string   `json:"issuer,omitempty"`
}

func (k *signingKey) jwk() jwk {
	return jwk{
		Type: "RSA", Use: "sig", ID: k.id, Thumbprint: k.id,
		Modulus:     base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
		Exponent:    base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
		Certificate: []string{base64.StdEncoding.EncodeToString(k.certificate)},
	}
}
