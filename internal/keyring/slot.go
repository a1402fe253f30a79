package keyring

import (
	"crypto"
	"crypto/x509"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/token"
)

// NewSlot makes a key that nobody knows yet.
func NewSlot() (Slot, error) {
	private, err := token.GenerateKey()
	if err != nil {
		return Slot{}, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Slot{}, fmt.Errorf("encode a signing key: %w", err)
	}
	key, err := token.NewKey(private)
	if err != nil {
		return Slot{}, err
	}
	return Slot{ID: key.ID, Private: encoded}, nil
}

// Key is the slot's key, which must be the one that the slot names.
func (s Slot) Key() (*token.Key, error) {
	private, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		return nil, fmt.Errorf("read signing key %s: it is no PKCS #8", s.ID)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read signing key %s: it cannot sign", s.ID)
	}
	key, err := token.NewKey(signer)
	if err != nil {
		return nil, fmt.Errorf("read signing key %s: %w", s.ID, err)
	}
	if key.ID != s.ID {
		return nil, fmt.Errorf("read signing key %s: it is another one, %s", s.ID, key.ID)
	}
	return key, nil
}
