// Package tokencache keeps tokens in front of a slower source of them: asked for once, renewed ahead of expiry, and
// served as long as they are valid while the source is away.
package tokencache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

// maxEntries bounds how many tokens are kept. An application has a few.
const maxEntries = 256

// Cache is a source of tokens in front of another one.
type Cache struct {
	source imds.TokenSource
	now    func() time.Time
	logger *slog.Logger

	flights singleflight.Group

	mu      sync.RWMutex
	entries map[imds.TokenRequest]*entry
	// generation counts the drops: what was asked for before one is not kept after it.
	generation uint64
}

var _ imds.TokenSource = (*Cache)(nil)

// New keeps the tokens of source.
func New(source imds.TokenSource, now func() time.Time, logger *slog.Logger) *Cache {
	return &Cache{source: source, now: now, logger: logger, entries: map[imds.TokenRequest]*entry{}}
}

// Token gives a token that is valid for more than five minutes, where the source has one; while the source is away,
// one that is valid at all, unless a new one is asked for. Refusals are not kept.
func (c *Cache) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	if request.BypassCache {
		return c.fetch(ctx, request, true)
	}
	c.mu.RLock()
	kept := c.entries[request]
	c.mu.RUnlock()
	if kept != nil && kept.servable(c.now()) {
		kept.markUsed()
		return kept.token, nil
	}
	token, err := c.fetch(ctx, request, true)
	if err != nil && kept != nil && kept.valid(c.now()) && c.postpone(request, err) {
		return kept.token, nil
	}
	return token, err
}

// Drop forgets every token, and what is being asked for.
func (c *Cache) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.generation++
}

// fetch asks the source, once for all who want the same, and keeps the token. The question goes on when the one who
// asked it goes away. Used tells whether an application asks, and not the cache by itself.
func (c *Cache) fetch(ctx context.Context, request imds.TokenRequest, used bool) (*imds.Token, error) {
	c.mu.RLock()
	generation := c.generation
	c.mu.RUnlock()
	flight := c.flights.DoChan(flightKey(generation, request), func() (any, error) {
		token, err := c.source.Token(context.WithoutCancel(ctx), request)
		if err == nil {
			c.keep(generation, request, newEntry(token, used, c.now(), rand.Float64()))
		}
		return token, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*imds.Token), nil
	}
}

// keep keeps a token, unless all were dropped since it was asked for.
func (c *Cache) keep(generation uint64, request imds.TokenRequest, fresh *entry) {
	request.BypassCache = false
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if _, known := c.entries[request]; !known && len(c.entries) >= maxEntries {
		c.evict()
	}
	c.entries[request] = fresh
}

// evict makes room: by a token that nobody asked for again, or by any.
func (c *Cache) evict() {
	var victim imds.TokenRequest
	for request, kept := range c.entries {
		victim = request
		if !kept.used.Load() {
			break
		}
	}
	delete(c.entries, victim)
}

// postpone puts the next renewal off after a failure, and tells whether the token may be served meanwhile. A
// refusal forgets it: the issuer has said that there is to be no such token.
func (c *Cache) postpone(request imds.TokenRequest, failure error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.entries[request]
	if kept == nil {
		return false
	}
	if isRefusal(failure) {
		delete(c.entries, request)
		return false
	}
	c.entries[request] = kept.postponed(c.now())
	return true
}

// isRefusal tells a decision about the request from an issuer that is away, busy, or does not know who asks: while
// the API server is down, nobody renews the pod's ServiceAccount token.
func isRefusal(err error) bool {
	var told *imds.Error
	return errors.As(err, &told) && told.Status == http.StatusBadRequest && !errors.Is(err, issuerclient.ErrNotAuthenticated)
}
