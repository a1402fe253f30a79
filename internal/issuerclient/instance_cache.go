package issuerclient

import (
	"context"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// How long an answer is taken for true, and how long a failure is not tried again.
const (
	instanceFresh = time.Minute
	instancePause = 2 * time.Second
)

// InstanceCache remembers what another source said, and goes on saying it while that source fails. Until the source
// has answered once there is nothing to say: a machine without a location would be believed.
type InstanceCache struct {
	source imds.InstanceSource
	now    func() time.Time

	// mu is held while asking, so that many requests at once ask once.
	mu       sync.Mutex
	known    *imds.Instance
	failure  error
	askAgain time.Time
}

// NewInstanceCache remembers what source says.
func NewInstanceCache(source imds.InstanceSource, now func() time.Time) *InstanceCache {
	return &InstanceCache{source: source, now: now}
}

// Instance is what the source says or said last, or its failure where it has said nothing yet.
func (c *InstanceCache) Instance(ctx context.Context) (*imds.Instance, error) {
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

func (c *InstanceCache) ask(ctx context.Context) {
	instance, err := c.source.Instance(ctx)
	if err != nil {
		c.failure, c.askAgain = err, c.now().Add(instancePause)
		return
	}
	c.known, c.askAgain = instance, c.now().Add(instanceFresh)
}
