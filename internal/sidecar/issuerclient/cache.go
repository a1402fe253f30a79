package issuerclient

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// failurePause is how long a failure is not tried again.
const failurePause = 2 * time.Second

// How long answers are taken for true.
const (
	instanceFresh     = time.Minute
	loadBalancerFresh = 5 * time.Second
	eventsFresh       = time.Second
)

// cache remembers what a source said, and goes on saying it while that source fails. Until the source has answered
// once there is nothing to say: a machine without a location would be believed.
type cache[T any] struct {
	fetch func(context.Context) (*T, error)
	fresh time.Duration
	now   func() time.Time

	// mu is held while asking, so that many requests at once ask once.
	mu       sync.Mutex
	known    *T
	failure  error
	askAgain time.Time
}

// get is what the source says or said last, or its failure where it has said nothing yet.
func (c *cache[T]) get(ctx context.Context) (*T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.now().Before(c.askAgain) {
		// The answer is for those who wait too, whatever becomes of the one who asked first.
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

// InstanceCache remembers for a minute what another source says of the machine.
type InstanceCache struct{ cache cache[imds.Instance] }

// NewInstanceCache remembers what source says.
func NewInstanceCache(source imds.InstanceSource, now func() time.Time) *InstanceCache {
	return &InstanceCache{cache[imds.Instance]{fetch: source.Instance, fresh: instanceFresh, now: now}}
}

// Instance is what the source says or said last.
func (c *InstanceCache) Instance(ctx context.Context) (*imds.Instance, error) {
	return c.cache.get(ctx)
}

// LoadBalancerCache remembers for a few seconds what another source says of load balancers.
type LoadBalancerCache struct{ cache cache[imds.LoadBalancer] }

// NewLoadBalancerCache remembers what source says.
func NewLoadBalancerCache(source imds.LoadBalancerSource, now func() time.Time) *LoadBalancerCache {
	return &LoadBalancerCache{cache[imds.LoadBalancer]{fetch: source.LoadBalancer, fresh: loadBalancerFresh, now: now}}
}

// LoadBalancer is what the source says or said last.
func (c *LoadBalancerCache) LoadBalancer(ctx context.Context) (*imds.LoadBalancer, error) {
	return c.cache.get(ctx)
}
