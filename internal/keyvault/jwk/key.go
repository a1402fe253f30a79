// Package jwk is the cryptography of Key Vault's keys, on Go's own: it makes keys, imports and stores them, shows their public part as a JSON
// Web Key, and signs and decrypts with them. It knows nothing of requests, of versions and of where keys are.
package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Key is the private key of a version. Exactly one of the two is set.
type Key struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// New returns a private key as a Key, if it is of a type and a size that vaults have.
func New(private crypto.PrivateKey) (*Key, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if err := checkSize(private.N.BitLen()); err != nil {
			return nil, err
		}
		if len(private.Primes) != 2 {
			return nil, refusal.New("RSA keys must have two primes.")
		}
		return &Key{rsa: private}, nil
	case *ecdsa.PrivateKey:
		if _, err := findCurve(private.Params().Name); err != nil {
			return nil, err
		}
		return &Key{ec: private}, nil
	}
	return nil, refusal.New("The private key is neither an RSA nor an EC key.")
}

// Type returns the type of the key.
func (k *Key) Type() Type {
	if k.rsa != nil {
		return RSA
	}
	return EC
}

// Spec returns what Generate makes a key of the same kind from.
func (k *Key) Spec() Spec {
	if k.rsa != nil {
		return Spec{Type: RSA, Size: k.rsa.N.BitLen()}
	}
	return Spec{Type: EC, Curve: k.ec.Params().Name}
}

// Private returns the private key, for certificates.
func (k *Key) Private() crypto.Signer {
	if k.rsa != nil {
		return k.rsa
	}
	return k.ec
}

// Marshal returns the private key as PKCS #8 in DER, to be stored.
func (k *Key) Marshal() ([]byte, error) {
	encoded, err := x509.MarshalPKCS8PrivateKey(k.Private())
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return encoded, nil
}

// maxStored bounds a stored key, in bytes: PKCS #8 of the longest is about 2,400.
const maxStored = 4 << 10

// Parse reads what Marshal returned.
func Parse(stored []byte) (*Key, error) {
	if len(stored) > maxStored {
		return nil, errors.New("parse a stored private key: it is too long")
	}
	private, err := x509.ParsePKCS8PrivateKey(stored)
	if err != nil {
		return nil, fmt.Errorf("parse a stored private key: %w", err)
	}
	key, err := New(private)
	if err != nil {
		// What is stored is nothing that a caller could have asked better.
		return nil, errors.New("parse a stored private key: " + err.Error())
	}
	return key, nil
}
