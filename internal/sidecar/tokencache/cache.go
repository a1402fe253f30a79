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

// maxEntries bounds the cached tokens. An application uses a few.
const maxEntries = 256

// Cache caches the tokens of a source.
type Cache struct {
	source imds.TokenSource
	now    func() time.Time
	logger *slog.Logger

	flights singleflight.Group

	mu      sync.RWMutex
	entries map[imds.TokenRequest]*entry
	// generation counts drops. What was requested before a drop is not cached after it.
	generation uint64
}

var _ imds.TokenSource = (*Cache)(nil)

// New returns a cache in front of source.
func New(source imds.TokenSource, now func() time.Time, logger *slog.Logger) *Cache {
	return &Cache{source: source, now: now, logger: logger, entries: map[imds.TokenRequest]*entry{}}
}

// Token returns a token that is valid for more than five minutes or, while the source is away, one that is still valid
// unless the request bypasses the cache. Refusals are not cached.
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

// Drop drops every token and every request in progress.
func (c *Cache) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.generation++
}

// fetch requests a token, once for all who want the same, and caches it. The request goes on when its client leaves. used
// says whether an application asks, or a renewal.
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

// keep caches a token, unless there was a drop since its request.
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

// evict makes room by dropping a token that was not used again, or else any.
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

// postpone postpones the next renewal after a failure, and reports whether the token may be served meanwhile. A refusal
// drops the token: the issuer has decided.
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

// isRefusal reports whether the issuer decided, instead of being away, busy, or unable to authenticate the pod: while the
// API server is down, the pod's ServiceAccount token is not renewed.
func isRefusal(err error) bool {
	var refusal *imds.Error
	return errors.As(err, &refusal) && refusal.Status == http.StatusBadRequest && !errors.Is(err, issuerclient.ErrNotAuthenticated)
}
