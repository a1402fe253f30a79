package issuerclient

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// GrantSource answers when a grant is no longer of a revision, or with nil after a while; see Client.Grant.
type GrantSource interface {
	Grant(ctx context.Context, revision string) (*issuerapi.Grant, error)
}

// GrantWatch tells of every change of the pod's grant.
type GrantWatch struct {
	Source GrantSource
	Logger *slog.Logger

	// Answered is called whenever the issuer answered, after Changed.
	Answered func()

	// Changed is called when the grant is not what it was, and once for the first one. A failure to ask is not a change.
	Changed func(*issuerapi.Grant)
}

// How long to wait between questions: after a failure, and where answers come faster than they should.
const (
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

// Run asks until the context ends.
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
				w.Logger.Info("the grant", "revision", revision, "identities", len(grant.Identities))
				w.Changed(grant)
			}
			w.Answered()
		}
		sleep(ctx, pause(failures, time.Since(asked), rand.Float64()))
	}
}

// pause is how long to wait after so many failures in a row and a question that took some time. Every node's pods
// lose their issuer at the same moment, so they come back at different ones: random is in [0, 1).
func pause(failures int, took time.Duration, random float64) time.Duration {
	if failures == 0 {
		return max(leastPause-took, 0)
	}
	longest := min(leastPause<<min(failures, 10), mostPause)
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
