package tokencache

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// sweepEvery is how often the cache is swept.
const sweepEvery = 15 * time.Second

// Run renews tokens ahead of expiry and drops expired ones until the context ends.
func (c *Cache) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.renewAll(ctx, c.sweep())
		}
	}
}

// sweep drops expired tokens and returns those to renew. A renewed token that was not used since is left to expire.
func (c *Cache) sweep() (due []imds.TokenRequest) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for request, kept := range c.entries {
		switch {
		case !kept.valid(now):
			delete(c.entries, request)
		case kept.due(now):
			due = append(due, request)
		}
	}
	return due
}

// renewAll renews tokens one after the other. When the source is away, it leaves the rest for the next time.
func (c *Cache) renewAll(ctx context.Context, due []imds.TokenRequest) {
	for _, request := range due {
		_, err := c.fetch(ctx, request, false)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		c.logger.Info("a token could not be renewed", "resource", request.Resource, "error", err)
		if c.postpone(request, err) {
			return
		}
	}
}
