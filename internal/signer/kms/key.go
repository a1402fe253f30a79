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

// key is a key of a KMS.
type key struct {
	url     string
	service service
	client  atomic.Pointer[client]

	// silent says that the last call got no answer, and probing that one request is finding out whether that has changed.
	silent, probing atomic.Bool
}

var (
	errSilent  = errors.New("the KMS does not answer")
	errBusy    = errors.New("the KMS is busy: too many signatures wait for it")
	errAnother = errors.New("the KMS signs with another key than before, or not as RS256 does (RSA, PKCS #1 v1.5, SHA-256)")
)

// sign makes a signature of a digest, and verifies it: the key behind a URL may have been exchanged.
func (k *key) sign(ctx context.Context, digest []byte, public *rsa.PublicKey) ([]byte, error) {
	if k.silent.Load() {
		// One request at a time waits for a KMS that does not answer.
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

// public is the public half that the KMS tells.
func (k *key) public(ctx context.Context) (*rsa.PublicKey, error) {
	told, err := call(ctx, k, readTimeout, func(ctx context.Context, client *client) (crypto.PublicKey, error) {
		verifier, err := client.open(ctx, k.url)
		if err != nil {
			return nil, err
		}
		return verifier.PublicKey(options.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	public, ok := told.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, and RS256 needs RSA", told)
	}
	return public, nil
}

// call asks the KMS, and waits no longer than the timeout for its answer. Some providers go on when the context of a call has
// ended; that call is left alone, and keeps its place until it does end.
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

// connect is the client, which is made at the first call.
func (k *key) connect() *client {
	for {
		if made := k.client.Load(); made != nil {
			return made
		}
		k.client.CompareAndSwap(nil, newClient())
	}
}

// disconnect has a later call make another client, where that may help.
func (k *key) disconnect(failed *client) {
	if k.service.reopens && time.Since(failed.since) >= reopenEvery {
		k.client.CompareAndSwap(failed, nil)
	}
}

// reasonOf is why there is no answer: whoever asked has gone away, or what is given.
func reasonOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
