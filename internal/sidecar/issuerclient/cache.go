package issuerclient

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// failurePause is how long a failure is not retried.
const failurePause = 2 * time.Second

// How long answers stay fresh.
const (
	instanceFresh     = time.Minute
	loadBalancerFresh = 5 * time.Second
	eventsFresh       = time.Second
)

// cache caches the answer of a source, and keeps serving it while the source fails. Before the first answer it serves
// nothing: clients would believe in a machine without a location.
type cache[T any] struct {
	fetch func(context.Context) (*T, error)
	fresh time.Duration
	now   func() time.Time

	// mu is held during a request, so that concurrent requests share one.
	mu       sync.Mutex
	known    *T
	failure  error
	askAgain time.Time
}

// get returns the source's answer, or its failure if it has never answered.
func (c *cache[T]) get(ctx context.Context) (*T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.now().Before(c.askAgain) {
		// The answer is also for others who wait, so it must not end with the first request.
		c.ask(context.WithoutCancel(ctx))
	}
	if c.known != nil {
		return c.known, nil
	}
	return nil, c.failure
}

func (c *cache[T]) ask(ctx context.Context) {
	answer, err := c.fetch(ctx)
	if err != nil {
		c.failure, c.askAgain = err, c.now().Add(failurePause)
		return
	}
	c.known, c.askAgain = answer, c.now().Add(c.fresh)
}

// InstanceCache caches an instance for a minute.
type InstanceCache struct{ cache cache[imds.Instance] }

// NewInstanceCache returns a cache in front of source.
func NewInstanceCache(source imds.InstanceSource, now func() time.Time) *InstanceCache {
	return &InstanceCache{cache[imds.Instance]{fetch: source.Instance, fresh: instanceFresh, now: now}}
}

// Instance returns the source's last answer.
func (c *InstanceCache) Instance(ctx context.Context) (*imds.Instance, error) {
	return c.cache.get(ctx)
}

// LoadBalancerCache caches load balancers for a few seconds.
type LoadBalancerCache struct{ cache cache[imds.LoadBalancer] }

// NewLoadBalancerCache returns a cache in front of source.
func NewLoadBalancerCache(source imds.LoadBalancerSource, now func() time.Time) *LoadBalancerCache {
	return &LoadBalancerCache{cache[imds.LoadBalancer]{fetch: source.LoadBalancer, fresh: loadBalancerFresh, now: now}}
}

// LoadBalancer returns the source's last answer.
func (c *LoadBalancerCache) LoadBalancer(ctx context.Context) (*imds.LoadBalancer, error) {
	return c.cache.get(ctx)
}
