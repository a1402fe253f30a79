package kms

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/token"
)

const (
	// signTimeout bounds a signature: less than an issuer waits for one replica of the signer.
	signTimeout = 1200 * time.Millisecond

	// readTimeout bounds reading a public half.
	readTimeout = 5 * time.Second
)

// Keys are the keys in use.
type Keys struct {
	mu   sync.Mutex
	keys map[string]*key
}

// Read returns the public half of a key, after a trial signature has shown that the key signs RS256.
func (k *Keys) Read(ctx context.Context, url string) (*rsa.PublicKey, error) {
	key, err := k.key(url)
	if err != nil {
		return nil, err
	}
	public, err := key.public(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the public half of %s: %w", url, err)
	}
	probe := sha256.Sum256([]byte(rand.Text()))
	if _, err := k.Signer(url, public)(ctx, probe[:]); err != nil {
		return nil, fmt.Errorf("try %s: %w", url, err)
	}
	return public, nil
}

// Signer returns a function that signs with a key and fails if the signature does not belong to the public half.
func (k *Keys) Signer(url string, public *rsa.PublicKey) token.SignFunc {
	key, err := k.key(url)
	if err != nil {
		return func(context.Context, []byte) ([]byte, error) { return nil, err }
	}
	return func(ctx context.Context, digest []byte) ([]byte, error) { return key.sign(ctx, digest, public) }
}

func (k *Keys) key(url string) (*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.keys[url]; found != nil {
		return found, nil
	}
	service, err := serviceOf(url)
	if err != nil {
		return nil, err
	}
	if k.keys == nil {
		k.keys = map[string]*key{}
	}
	k.keys[url] = &key{url: url, service: service}
	return k.keys[url], nil
}
