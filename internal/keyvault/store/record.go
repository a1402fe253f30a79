package store

import (
	"context"
	"errors"
	"time"
)

// Records keeps records: in Secrets of a cluster, or in memory.
type Records interface {
	// Get returns a record, or nil if there is none of that name.
	Get(ctx context.Context, name string) (*Record, error)

	// List returns the records that have all the labels.
	List(ctx context.Context, labels map[string]string) ([]*Record, error)

	// Names returns the same without their contents.
	Names(ctx context.Context, labels map[string]string) ([]*Record, error)

	// Create keeps a new record. The error is ErrConflict if there is one of that name.
	Create(ctx context.Context, record *Record) error

	// Replace replaces a record. The error is ErrConflict if it is not the one that was read.
	Replace(ctx context.Context, record *Record) error

	// Delete deletes a record. The error is ErrConflict if it is not the one that was read. One that is gone is no error.
	Delete(ctx context.Context, record *Record) error
}

// Record is what a Secret keeps.
type Record struct {
	Name    string
	Labels  map[string]string
	Content []byte

	// Final records are never replaced.
	Final bool

	// Revision changes with each write; "" is that of a record that is not kept yet.
	Revision string
	Created  time.Time
}

// ErrConflict is the error of a write that another one came before.
var ErrConflict = errors.New("another write came first")
