package keyvault

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

const (
	// sweepEvery is how often what nobody can find any more is removed.
	sweepEvery = time.Hour

	// rotateEvery is how often keys and certificates are looked at whose policies have them rotated.
	rotateEvery = 10 * time.Minute
)

// Upkeep does what vaults need from time to time: it removes what nobody can find any more, and rotates what is due.
type Upkeep struct {
	Server *Server
	Log    logr.Logger
}

// NeedLeaderElection returns false: what another server did first is not done again.
func (u *Upkeep) NeedLeaderElection() bool { return false }

// Start works until the context ends.
func (u *Upkeep) Start(ctx context.Context) error {
	sweeper := &store.Sweeper{Records: u.Server.Records, Now: u.Server.Now}
	rotator := &Rotator{Server: u.Server}
	var running sync.WaitGroup
	running.Go(func() {
		u.repeat(ctx, sweepEvery, sweeper.Sweep, "cannot remove what is past its retention; it is tried again")
	})
	running.Go(func() { u.repeat(ctx, rotateEvery, rotator.Rotate, "cannot rotate all that is due; it is tried again") })
	running.Wait()
	return nil
}

// repeat does something again and again, and logs a failure.
func (u *Upkeep) repeat(ctx context.Context, every time.Duration, do func(context.Context) error, failure string) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if err := do(ctx); err != nil && ctx.Err() == nil {
				u.Log.Error(err, failure, "after", every.String())
			}
		}
	}
}
