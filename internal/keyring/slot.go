package keyring

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
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

// NewRemoteSlot is a slot of a key that a KMS keeps.
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

// Remote signs with a key that a KMS keeps, and makes sure that it is the one whose public half is given.
type Remote func(url string, public *rsa.PublicKey) token.SignFunc

// Key is the slot's key, which must be the one that the slot names.
func (s Slot) Key(remote Remote) (*token.Key, error) {
	key, err := s.open(remote)
	if err != nil {
		return nil, fmt.Errorf("read signing key %s: %w", s.ID, err)
	}
	if key.ID != s.ID {
		return nil, fmt.Errorf("read signing key %s: it is another one, %s", s.ID, key.ID)
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

// Signer signs with the private half that the slot holds.
func (s Slot) Signer() (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		// The error may quote what it could not read.
		return nil, errors.New("it is no PKCS #8")
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("it cannot sign")
	}
	return signer, nil
}

// openRemote asks the KMS nothing: that it keeps the right key is seen at each signature.
func (s Slot) openRemote(remote Remote) (*token.Key, error) {
	parsed, err := x509.ParsePKIXPublicKey(s.Public)
	if err != nil {
		return nil, fmt.Errorf("read its public half: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("it is no RSA key")
	}
	return token.NewRemoteKey(public, remote(s.URL, public))
}
