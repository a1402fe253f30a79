package mint

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// minAssertionLeft is the remaining validity below which an assertion is signed anew. It is signed for ten minutes.
	minAssertionLeft = 6 * time.Minute

	// maxAssertions bounds the assertions that are kept.
	maxAssertions = 1000
)

// Assertions keeps the signer's assertions: they are of the identity, so that all pods of the node that are granted it can have the
// same one. Whether a pod may have it is the issuer's decision each time, and the signer's for each signature.
type Assertions struct {
	client  AssertionClient
	now     func() time.Time
	flights flights

	mu   sync.Mutex
	kept map[string]*signerapi.AssertionResponse
}

// NewAssertions returns assertions of a signer.
func NewAssertions(client AssertionClient, now func() time.Time) *Assertions {
	return &Assertions{client: client, now: now, kept: map[string]*signerapi.AssertionResponse{}}
}

// Assertion returns an assertion of an identity for an audience that is valid for some minutes, or has one signed.
func (a *Assertions) Assertion(ctx context.Context, request signerapi.AssertionRequest, audience string) (*signerapi.AssertionResponse, error) {
	key := request.Identity + "\n" + audience
	if kept := a.find(key); kept != nil {
		return kept, nil
	}
	signed, err := a.flights.do(key, request.UID, func() (any, error) {
		fresh, err := a.client.Assertion(context.WithoutCancel(ctx), request)
		if err == nil {
			a.keep(key, fresh)
		}
		return fresh, err
	})
	if err != nil {
		return nil, err
	}
	return signed.(*signerapi.AssertionResponse), nil
}

func (a *Assertions) find(key string) *signerapi.AssertionResponse {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.kept[key]
	if kept == nil || time.Unix(kept.ExpiresOn, 0).Sub(a.now()) < minAssertionLeft {
		return nil
	}
	return kept
}

func (a *Assertions) keep(key string, fresh *signerapi.AssertionResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) >= maxAssertions {
		clear(a.kept)
	}
	a.kept[key] = fresh
}
