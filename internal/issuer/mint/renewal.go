package mint

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
)

const (
	// renewalInterval is how often due tokens are renewed.
	renewalInterval = 15 * time.Second

	// renewers is how many tokens are renewed at the same time.
	renewers = 4
)

// Start renews the tokens that pods use until the context ends.
func (c *Cache) Start(ctx context.Context) error {
	ticker := time.NewTicker(renewalInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.renewDue(ctx)
		}
	}
}

// NeedLeaderElection returns false: every issuer renews its own tokens.
func (c *Cache) NeedLeaderElection() bool { return false }

// renewDue renews the due tokens. When the minter is away, it leaves the rest for the next time.
func (c *Cache) renewDue(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due, generation := c.sweep()
	waiting := make(chan Request)
	var working sync.WaitGroup
	for range min(renewers, len(due)) {
		working.Go(func() {
			for request := range waiting {
				if !c.renew(ctx, request, generation) {
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

// sweep removes expired tokens and returns the requests of due ones.
func (c *Cache) sweep() (due []Request, generation int) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, one := range c.tokens {
		switch {
		case one.remaining(now) <= 0:
			delete(c.tokens, key)
		case one.isDue(now):
			due = append(due, one.request)
		}
	}
	return due, c.generation
}

// renew renews a token and reports whether others can be renewed now. A refused token is dropped: the pod's own request would be
// refused too. A shared one stays, because another pod's may not be, and so do the renewals of other identities go on.
func (c *Cache) renew(ctx context.Context, request Request, generation int) bool {
	if ctx.Err() != nil {
		return false
	}
	_, err := c.mint(ctx, request, generation, false)
	if err == nil || c.shared {
		return true
	}
	if failure.Of(err).Temporary() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, c.key(request))
	return true
}
