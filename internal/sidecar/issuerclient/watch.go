package issuerclient

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// GrantSource returns a grant when it no longer has a revision, or nil after a while; see Client.Grant.
type GrantSource interface {
	Grant(ctx context.Context, revision string) (*issuerapi.Grant, error)
}

// GrantWatch watches the pod's grant.
type GrantWatch struct {
	Source GrantSource
	Logger *slog.Logger

	// Answered is called after each answer of the issuer, after Changed.
	Answered func()

	// Changed is called for the first grant and for each new revision. A failed request is not a change.
	Changed func(*issuerapi.Grant)
}

// The pauses between requests: after a failure, and when answers come too fast.
const (
	minPause = time.Second
	maxPause = 30 * time.Second

	// restartFailures are the failures, in some 20 seconds, before pauses grow: an issuer that restarts has its sidecars back within
	// two seconds. If pauses never grew, the pods of a cluster without issuers would flood its DNS.
	restartFailures = 25
)

// Run watches until the context ends.
func (w *GrantWatch) Run(ctx context.Context) {
	revision, failures := "", 0
	for ctx.Err() == nil {
		asked := time.Now()
		grant, err := w.Source.Grant(ctx, revision)
		switch {
		case err != nil:
			if failures++; failures == 1 && ctx.Err() == nil {
				w.Logger.Warn("the issuer does not answer; what is valid goes on being served", "error", err)
			}
		default:
			if failures > 0 {
				w.Logger.Info("the issuer answers again")
			}
			failures = 0
			if grant != nil && grant.Revision != revision {
				revision = grant.Revision
				w.Logger.Info("the grant has changed", "revision", revision)
				w.Changed(grant)
			}
			w.Answered()
		}
		sleep(ctx, pause(failures, time.Since(asked), rand.Float64()))
	}
}

// pause returns the time to wait after some failures in a row and a request of some duration. Pods of a node lose their
// issuer at the same moment, so jitter in [0, 1) spreads their return.
func pause(failures int, took time.Duration, random float64) time.Duration {
	if failures == 0 {
		return max(minPause-took, 0)
	}
	longest := min(minPause<<min(max(failures-restartFailures, 0), 10), maxPause)
	return longest/2 + time.Duration(random*float64(longest/2))
}

func sleep(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// grantTimeout leaves the issuer time beyond that for which it holds a request.
const grantTimeout = (issuerapi.GrantWaitSeconds + 10) * time.Second

// Grant returns the pod's grant when it has another revision than the given one: at once if revision is "". It returns nil
// if nothing has changed after a while, or when other authorities are trusted.
func (c *Client) Grant(ctx context.Context, revision string) (*issuerapi.Grant, error) {
	over := c.connections()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(over.outdated, cancel)()
	grant, err := c.awaitGrant(ctx, over, revision)
	if err != nil && over.outdated.Err() != nil {
		return nil, nil
	}
	return grant, err
}

func (c *Client) awaitGrant(ctx context.Context, over *connections, revision string) (*issuerapi.Grant, error) {
	timeout, header := requestTimeout, http.Header{}
	if revision != "" {
		timeout = grantTimeout
		header.Set("If-None-Match", `"`+revision+`"`)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := c.call(ctx, over, http.MethodGet, issuerapi.GrantPath, header, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusNotModified:
		return nil, nil
	case http.StatusOK:
		var grant issuerapi.Grant
		if err := decode(response, &grant); err != nil {
			return nil, err
		}
		return &grant, nil
	}
	return nil, refusalOf(response)
}
