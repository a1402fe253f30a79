package certificate

import (
	"crypto"
	"crypto/x509"
	"errors"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// FromPFX reads a key and its chain from PKCS #12, in DER. Nothing is decrypted before it is known to be bounded.
func FromPFX(content []byte, password string) (*KeyPair, error) {
	if len(content) > maxImport || len(password) > maxPassword {
		return nil, tooLarge()
	}
	if !isBMP(password) {
		return nil, refuse(WrongPassword, "The password has characters that a password of PKCS #12 cannot have.")
	}
	file, err := openPFX(content)
	if err != nil {
		return nil, err
	}
	if err := file.checkPassword(content, password); err != nil {
		return nil, err
	}
	key, certificates, err := file.decode(password)
	if err != nil {
		return nil, err
	}
	return newKeyPair(key, certificates)
}

// isBMP reports whether all characters are of the Basic Multilingual Plane.
func isBMP(text string) bool {
	for _, char := range text {
		if utf16.RuneLen(char) != 1 {
			return false
		}
	}
	return true
}

// checkPassword checks the integrity of the file, by which a wrong password is known. What makes a trust store never decrypts a key, so that
// a key that is still hidden, with any number of iterations, costs nothing.
func (p *pfx) checkPassword(content []byte, password string) error {
	if !p.hasMAC {
		if password != "" {
			return refuse(WrongPassword, "The PKCS #12 content has no password.")
		}
		return nil
	}
	if _, err := pkcs12.DecodeTrustStore(content, password); errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return refuse(WrongPassword, "The specified PKCS #12 content cannot be opened with the password.")
	}
	return nil
}

// decode decrypts the file with its parts in the order that openPFX gave them.
func (p *pfx) decode(password string) (crypto.Signer, []*x509.Certificate, error) {
	for _, encoded := range encodings(password) {
		content, err := p.sealed(encoded)
		if err != nil {
			return nil, nil, err
		}
		key, leaf, others, err := pkcs12.DecodeChain(content, password)
		if err != nil {
			continue
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, nil, unsupportedKey()
		}
		return signer, append([]*x509.Certificate{leaf}, others...), nil
	}
	return nil, nil, unreadable()
}

// encodings returns what a password may be in a file: UTF-16 with a zero at the end, and if it is empty also nothing.
func encodings(password string) [][]byte {
	var encoded []byte
	for _, char := range utf16.Encode([]rune(password)) {
		encoded = append(encoded, byte(char>>8), byte(char))
	}
	encoded = append(encoded, 0, 0)
	if password == "" {
		return [][]byte{encoded, nil}
	}
	return [][]byte{encoded}
}

func unreadable() *Refusal {
	return refuse(Malformed, "The specified PKCS #12 content cannot be read: it must be DER with one private key, and encrypted with AES, 3DES or RC2.")
}
