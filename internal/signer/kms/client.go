package kms

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	sigkms "github.com/sigstore/sigstore/pkg/signature/kms"
)

const (
	// maxCalls bounds the concurrent calls of a client. A KMS that takes 20 ms then makes 3,200 signatures a second.
	maxCalls = 64

	// reopenEvery bounds how often a client is replaced.
	reopenEvery = 10 * time.Second

	// maxDetail bounds what is quoted of a provider's error, in bytes.
	maxDetail = 300
)

// client is a provider's client with a bound on concurrent calls.
type client struct {
	places   chan struct{}
	since    time.Time
	provider atomic.Pointer[sigkms.SignerVerifier]
}

func newClient() *client { return &client{places: make(chan struct{}, maxCalls), since: time.Now()} }

// open returns a new provider, which looks for its credentials now.
func (c *client) open(ctx context.Context, url string) (sigkms.SignerVerifier, error) {
	if made := c.provider.Load(); made != nil {
		return *made, nil
	}
	// Providers keep the context for calls without one.
	made, err := sigkms.Get(context.WithoutCancel(ctx), url, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	c.provider.Store(&made)
	return made, nil
}

// brief returns a provider's error in one line. It wraps nothing: that the provider cancelled a request of its own does not
// mean that the caller did.
func brief(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return errors.New(text)
}
