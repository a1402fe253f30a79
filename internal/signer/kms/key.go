package kms

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// key is a key in a KMS.
type key struct {
	url     string
	service service
	client  atomic.Pointer[client]

	// silent reports that the last call got no answer, and probing that one request is checking whether that has changed.
	silent, probing atomic.Bool
}

var (
	errSilent  = errors.New("the KMS does not answer")
	errBusy    = errors.New("the KMS is busy: too many signatures wait for it")
	errAnother = errors.New("the KMS signs with another key than before, or not as RS256 does (RSA, PKCS #1 v1.5, SHA-256)")
)

// sign signs a digest and verifies the signature, because the key behind a URL may have been exchanged.
func (k *key) sign(ctx context.Context, digest []byte, public *rsa.PublicKey) ([]byte, error) {
	if k.silent.Load() {
		// One request at a time waits for a silent KMS.
		if !k.probing.CompareAndSwap(false, true) {
			return nil, fmt.Errorf("sign with %s: %w", k.url, errSilent)
		}
		defer k.probing.Store(false)
	}
	signature, err := call(ctx, k, signTimeout, func(ctx context.Context, client *client) ([]byte, error) {
		verifier, err := client.open(ctx, k.url)
		if err != nil {
			return nil, err
		}
		return verifier.SignMessage(nil, k.options(ctx, digest)...)
	})
	if err == nil && rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, signature) != nil {
		err = errAnother
	}
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", k.url, err)
	}
	return signature, nil
}

func (k *key) options(ctx context.Context, digest []byte) []signature.SignOption {
	chosen := []signature.SignOption{options.WithContext(ctx), options.WithDigest(digest), options.WithCryptoSignerOpts(crypto.SHA256)}
	if k.service.version != "" {
		chosen = append(chosen, options.WithKeyVersion(k.service.version))
	}
	return chosen
}

// public returns the public half from the KMS.
func (k *key) public(ctx context.Context) (*rsa.PublicKey, error) {
	read, err := call(ctx, k, readTimeout, func(ctx context.Context, client *client) (crypto.PublicKey, error) {
		verifier, err := client.open(ctx, k.url)
		if err != nil {
			return nil, err
		}
		return verifier.PublicKey(options.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	public, ok := read.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, and RS256 needs RSA", read)
	}
	return public, nil
}

// call calls the KMS with a timeout. Some providers go on after the context has ended; such a call is abandoned, and counts
// for the bound until it ends.
func call[T any](ctx context.Context, k *key, timeout time.Duration, ask func(context.Context, *client) (T, error)) (answer T, err error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := k.connect()
	select {
	case client.places <- struct{}{}:
	case <-bounded.Done():
		return answer, reasonOf(ctx, errBusy)
	}
	type result struct {
		answer T
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-client.places }()
		answer, err := ask(bounded, client)
		done <- result{answer, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-bounded.Done():
		got.err = bounded.Err()
	}
	if got.err == nil {
		k.silent.Store(false)
		return got.answer, nil
	}
	k.disconnect(client)
	if bounded.Err() != nil {
		k.silent.Store(ctx.Err() == nil || k.silent.Load())
		return answer, reasonOf(ctx, errSilent)
	}
	k.silent.Store(false)
	return answer, brief(got.err)
}

// connect returns the client, creating it at the first call.
func (k *key) connect() *client {
	for {
		if made := k.client.Load(); made != nil {
			return made
		}
		k.client.CompareAndSwap(nil, newClient())
	}
}

// disconnect lets a later call create another client, if that may help.
func (k *key) disconnect(failed *client) {
	if k.service.reopens && time.Since(failed.since) >= reopenEvery {
		k.client.CompareAndSwap(failed, nil)
	}
}

// reasonOf returns why there is no answer: the caller has gone, or err.
func reasonOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
