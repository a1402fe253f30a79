package directory

import (
	"sync"

	"k8s.io/client-go/tools/cache"
)

// Changes wakes everybody who waits when something changes.
type Changes struct {
	mu   sync.Mutex
	next chan struct{}
}

// NewChanges makes one that nobody waits for yet.
func NewChanges() *Changes { return &Changes{next: make(chan struct{})} }

// Next is closed at the next change.
func (c *Changes) Next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// Notify tells of a change.
func (c *Changes) Notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
}

// Handler tells of the changes of an informer.
func (c *Changes) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.Notify() },
		UpdateFunc: func(any, any) { c.Notify() },
		DeleteFunc: func(any) { c.Notify() },
	}
}
