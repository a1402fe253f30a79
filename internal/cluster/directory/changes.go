package directory

import (
	"sync"

	"k8s.io/client-go/tools/cache"
)

// Changes wakes everybody who waits when something changes: for what one pod hangs on, or for anything.
type Changes struct {
	mu   sync.Mutex
	next chan struct{}
	pods map[string]chan struct{}
}

// maxWaited bounds for how many pods somebody may wait. Beyond it all are woken, which does no harm.
const maxWaited = 4096

// NewChanges makes one that nobody waits for yet.
func NewChanges() *Changes {
	return &Changes{next: make(chan struct{}), pods: map[string]chan struct{}{}}
}

// Next is closed at the next change that concerns everybody.
func (c *Changes) Next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// Of is closed at the next change that concerns a pod, or everybody.
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

// Notify tells of a change that concerns everybody.
func (c *Changes) Notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
	c.wakePods()
}

// NotifyPod tells of a change that concerns a pod.
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

// Handler tells of the changes of an informer.
func (c *Changes) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.Notify() },
		UpdateFunc: func(any, any) { c.Notify() },
		DeleteFunc: func(any) { c.Notify() },
	}
}
