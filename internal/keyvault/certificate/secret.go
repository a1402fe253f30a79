package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// encoder writes PKCS #12 that every client can read. Its ciphers are weak, but the password is empty: nothing rests on them.
var encoder = pkcs12.LegacyDES

// Secret returns the value of the secret behind the certificate: PEM, or PKCS #12 in base64 without a password. What is not exportable
// is without its key.
func (p *KeyPair) Secret(contentType string, exportable bool) (string, error) {
	if contentType == PEM {
		content, err := p.encodePEM(exportable)
		return string(content), err
	}
	content, err := p.encodePKCS12(exportable)
	if err != nil {
		return "", fmt.Errorf("encode a certificate as PKCS #12: %w", err)
	}
	return base64.StdEncoding.EncodeToString(content), nil
}

func (p *KeyPair) encodePKCS12(exportable bool) ([]byte, error) {
	if !exportable {
		return encoder.EncodeTrustStore(p.Chain, "")
	}
	return encoder.Encode(p.Key, p.Leaf(), p.Chain[1:], "")
}

func (p *KeyPair) encodePEM(exportable bool) ([]byte, error) {
	var content bytes.Buffer
	if exportable {
		key, err := x509.MarshalPKCS8PrivateKey(p.Key)
		if err != nil {
			return nil, fmt.Errorf("encode a private key: %w", err)
		}
		content.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	}
	for _, certificate := range p.Chain {
		content.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	}
	return content.Bytes(), nil
}
