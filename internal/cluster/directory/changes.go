package directory

import (
	"sync"

	"k8s.io/client-go/tools/cache"
)

// Changes wakes waiters when something changes that one pod depends on, or that all pods depend on.
type Changes struct {
	mu   sync.Mutex
	next chan struct{}
	pods map[string]chan struct{}
}

// maxWaited bounds the pods that requests wait for. Beyond it all waiters are woken, which does no harm.
const maxWaited = 4096

// NewChanges returns Changes without waiters.
func NewChanges() *Changes {
	return &Changes{next: make(chan struct{}), pods: map[string]chan struct{}{}}
}

// Next returns a channel that is closed at the next change for all pods.
func (c *Changes) Next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// Of returns a channel that is closed at the next change for a pod or for all.
func (c *Changes) Of(podUID string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, found := c.pods[podUID]
	if !found {
		if len(c.pods) >= maxWaited {
			c.wakePods()
		}
		next = make(chan struct{})
		c.pods[podUID] = next
	}
	return next
}

// Notify wakes all waiters.
func (c *Changes) Notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
	c.wakePods()
}

// NotifyPod wakes the waiters of a pod.
func (c *Changes) NotifyPod(podUID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waited, found := c.pods[podUID]; found {
		close(waited)
		delete(c.pods, podUID)
	}
}

func (c *Changes) wakePods() {
	for _, waited := range c.pods {
		close(waited)
	}
	clear(c.pods)
}

// Handler notifies for every event of an informer.
func (c *Changes) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.Notify() },
		UpdateFunc: func(any, any) { c.Notify() },
		DeleteFunc: func(any) { c.Notify() },
	}
}
