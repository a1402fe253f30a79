package certificate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
)

// FromPEM reads a key and its chain, in any order. The key is in PKCS #8, PKCS #1 or SEC 1, and not encrypted.
func FromPEM(content []byte) (*KeyPair, error) {
	if len(content) > maxImport {
		return nil, tooLarge()
	}
	// Blocks that are damaged are passed over when decoding.
	announced := bytes.Count(content, []byte(begin))
	var key crypto.Signer
	var certificates []*x509.Certificate
	count := 0
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		count++
		switch {
		case block.Type == "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, refuse(Malformed, "The PEM content has a certificate that cannot be read.")
			}
			certificates = append(certificates, certificate)
		case block.Type == "EC PARAMETERS":
			// The key has them too.
		case key != nil:
			return nil, refuse(Malformed, "The PEM content has something beside a private key and certificates.")
		default:
			var err error
			if key, err = parseKey(block); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case count != announced:
		return nil, refuse(Malformed, "The PEM content has a block that cannot be read.")
	case key == nil:
		return nil, refuse(NoKey, "The PEM content has no private key.")
	}
	return newKeyPair(key, certificates)
}

// parseKey returns the key of a block. The errors of parsers are not passed on: what they may quote is secret.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, refuse(EncryptedKey, "The private key in PEM must not be encrypted.")
	}
	if len(block.Bytes) > maxKey {
		return nil, refuse(TooLarge, "The private key is larger than %d bytes.", maxKey)
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, refuse(Malformed, "The PEM content has something beside a private key and certificates.")
	}
	if err != nil {
		return nil, refuse(Malformed, "The private key cannot be read.")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, unsupportedKey()
	}
	return signer, nil
}
