package keyring

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/token"
)

// NewSlot returns a slot with a new key.
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

// NewRemoteSlot returns a slot for a key in a KMS.
func NewRemoteSlot(url string, public *rsa.PublicKey) (Slot, error) {
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Slot{}, fmt.Errorf("encode the public half of %s: %w", url, err)
	}
	key, err := token.NewRemoteKey(public, nil)
	if err != nil {
		return Slot{}, fmt.Errorf("take %s: %w", url, err)
	}
	return Slot{ID: key.ID, URL: url, Public: encoded}, nil
}

// Remote returns a function that signs with a key in a KMS and checks that it belongs to the public half.
type Remote func(url string, public *rsa.PublicKey) token.SignFunc

// Key returns the slot's key after checking that it is the one that the slot names.
func (s Slot) Key(remote Remote) (*token.Key, error) {
	key, err := s.open(remote)
	if err != nil {
		return nil, fmt.Errorf("read signing key %s: %w", s.ID, err)
	}
	if key.ID != s.ID {
		return nil, fmt.Errorf("read signing key %s: the key's ID is %s", s.ID, key.ID)
	}
	return key, nil
}

func (s Slot) open(remote Remote) (*token.Key, error) {
	if s.URL != "" {
		return s.openRemote(remote)
	}
	signer, err := s.Signer()
	if err != nil {
		return nil, err
	}
	return token.NewKey(signer)
}

// Signer returns a signer with the private half in the slot.
func (s Slot) Signer() (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		// The error may quote the key.
		return nil, errors.New("not PKCS #8")
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a signing key")
	}
	return signer, nil
}

// openRemote does not ask the KMS: every signature is checked against the public half anyway.
func (s Slot) openRemote(remote Remote) (*token.Key, error) {
	parsed, err := x509.ParsePKIXPublicKey(s.Public)
	if err != nil {
		return nil, fmt.Errorf("parse the public half: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return token.NewRemoteKey(public, remote(s.URL, public))
}
