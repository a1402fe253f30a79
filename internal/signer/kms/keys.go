// Package kms signs with keys that a key management service keeps. Its providers are large: only the signer links it.
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
	// signTimeout is how long a signature may take: less than an issuer waits for one replica of the signer.
	signTimeout = 1200 * time.Millisecond

	// readTimeout is how long it may take to read a public half.
	readTimeout = 5 * time.Second
)

// Keys are the keys that are in use.
type Keys struct {
	mu   sync.Mutex
	keys map[string]*key
}

// Read reads the public half of a key, and sees by a signature that what comes out is RS256.
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

// Signer signs with a key. It returns no signature that is not of the public half given.
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
