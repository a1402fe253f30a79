package issuer

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/reply"
)

const (
	// renewEvery is how often the kept tokens are looked through.
	renewEvery = 15 * time.Second

	// renewers is how many tokens are renewed at the same time.
	renewers = 4
)

// Start renews the tokens that are asked for, from half of their lives on, until the context ends.
func (m *CachingMinter) Start(ctx context.Context) error {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			m.renewDue(ctx)
		}
	}
}

// NeedLeaderElection says that every issuer renews its own tokens.
func (m *CachingMinter) NeedLeaderElection() bool { return false }

// renewDue has those tokens made anew that are due. Where the minter is away, the rest waits for the next time.
func (m *CachingMinter) renewDue(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due, era := m.sweep()
	waiting := make(chan MintRequest)
	var working sync.WaitGroup
	for range min(renewers, len(due)) {
		working.Go(func() {
			for request := range waiting {
				if !m.renew(ctx, request, era) {
					cancel()
				}
			}
		})
	}
	for _, request := range due {
		select {
		case waiting <- request:
		case <-ctx.Done():
		}
	}
	close(waiting)
	working.Wait()
}

// sweep forgets the tokens that have expired, and lists what is due.
func (m *CachingMinter) sweep() (due []MintRequest, era int) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, one := range m.minted {
		switch {
		case !one.isValid(now):
			delete(m.minted, key)
		case one.isDue(now):
			due = append(due, one.request)
		}
	}
	return due, m.era
}

// renew makes a token anew, and tells whether the minter is there. What it refuses is not asked for again, and not
// handed out: it would be no different for the pod's own request.
func (m *CachingMinter) renew(ctx context.Context, request MintRequest, era int) bool {
	if ctx.Err() != nil {
		return false
	}
	_, err := m.make(ctx, request, era, false)
	if err == nil {
		return true
	}
	if reply.AsFailure(err).RetryAfter > 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.minted, cacheKey(request))
	return true
}
