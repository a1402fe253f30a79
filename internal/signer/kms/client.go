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
	// maxCalls bounds how many calls of a client there are at once. A KMS that takes 20 ms makes 3,200 signatures a second so.
	maxCalls = 64

	// reopenEvery bounds how often a client is made anew.
	reopenEvery = 10 * time.Second

	// maxDetail is the most bytes of a provider's error that are told.
	maxDetail = 300
)

// client is a provider's client, and the places of those that wait for it.
type client struct {
	places   chan struct{}
	since    time.Time
	provider atomic.Pointer[sigkms.SignerVerifier]
}

func newClient() *client { return &client{places: make(chan struct{}, maxCalls), since: time.Now()} }

// open is the provider, which looks for its credentials now.
func (c *client) open(ctx context.Context, url string) (sigkms.SignerVerifier, error) {
	if made := c.provider.Load(); made != nil {
		return *made, nil
	}
	// Providers keep the context for calls that are given none.
	made, err := sigkms.Get(context.WithoutCancel(ctx), url, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	c.provider.Store(&made)
	return made, nil
}

// brief is a provider's error in one line. It wraps nothing: a request of the provider's own that was canceled is not the
// caller's.
func brief(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return errors.New(text)
}
