package store

import (
	"container/list"
	"context"
	"sync"
)

// Recent remembers the final records that were read last. They never change, so while the API server cannot be read they are as good as
// read, and otherwise they cost it nothing.
type Recent struct {
	Records

	// MaxBytes bounds what is remembered.
	MaxBytes int

	mu     sync.Mutex
	byName map[string]*list.Element
	order  list.List // of *Record, the one read last in front
	bytes  int
}

// Get returns a remembered record, or reads it.
func (r *Recent) Get(ctx context.Context, name string) (*Record, error) {
	if found := r.find(name); found != nil {
		return found, nil
	}
	record, err := r.Records.Get(ctx, name)
	if err == nil && record != nil && record.Final {
		r.remember(record)
	}
	return record, err
}

// Delete deletes a record and forgets it.
func (r *Recent) Delete(ctx context.Context, record *Record) error {
	r.mu.Lock()
	if found := r.byName[record.Name]; found != nil {
		r.forget(found)
	}
	r.mu.Unlock()
	return r.Records.Delete(ctx, record)
}

func (r *Recent) find(name string) *Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.byName[name]
	if found == nil {
		return nil
	}
	r.order.MoveToFront(found)
	return found.Value.(*Record)
}

func (r *Recent) remember(record *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = map[string]*list.Element{}
	}
	if r.byName[record.Name] != nil {
		return
	}
	r.byName[record.Name] = r.order.PushFront(record)
	r.bytes += len(record.Content)
	for r.bytes > r.MaxBytes {
		r.forget(r.order.Back())
	}
}

func (r *Recent) forget(element *list.Element) {
	record := r.order.Remove(element).(*Record)
	delete(r.byName, record.Name)
	r.bytes -= len(record.Content)
}
