package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory keeps records in memory.
type Memory struct {
	// MaxBytes bounds what is kept, if not 0.
	MaxBytes int

	mu      sync.Mutex
	records map[string]Record
	bytes   int
	writes  int

	// saveTo, if not nil, keeps the records beyond the process.
	saveTo saver
}

// saver keeps records beyond the process.
type saver interface {
	save(record *Record) error
	forget(name string) error
}

// ErrFull is the error of a write that there is no room for.
var ErrFull = errors.New("the vaults are full: purge what is not needed")

// overhead is what a record takes beside its content, in bytes.
const overhead = 1 << 10

// Get implements Records.
func (m *Memory) Get(_ context.Context, name string) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.records[name]; ok {
		return found.clone(), nil
	}
	return nil, nil
}

// List implements Records.
func (m *Memory) List(_ context.Context, labels map[string]string) ([]*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*Record
	for _, record := range m.records {
		if record.has(labels) {
			found = append(found, record.clone())
		}
	}
	return found, nil
}

// Names implements Records.
func (m *Memory) Names(ctx context.Context, labels map[string]string) ([]*Record, error) {
	return m.List(ctx, labels)
}

// Create implements Records.
func (m *Memory) Create(_ context.Context, record *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[record.Name]; ok {
		return ErrConflict
	}
	record.Created = time.Now()
	return m.keep(record)
}

// Replace implements Records.
func (m *Memory) Replace(_ context.Context, record *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[record.Name].Revision != record.Revision {
		return ErrConflict
	}
	return m.keep(record)
}

// Delete implements Records.
func (m *Memory) Delete(_ context.Context, record *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.records[record.Name]
	if ok && found.Revision != record.Revision {
		return ErrConflict
	}
	if !ok {
		return nil
	}
	if m.saveTo != nil {
		if err := m.saveTo.forget(record.Name); err != nil {
			return err
		}
	}
	m.bytes -= found.size()
	delete(m.records, record.Name)
	return nil
}

// keep keeps a record in place of the one of its name.
func (m *Memory) keep(record *Record) error {
	bytes := m.bytes + record.size()
	if before, ok := m.records[record.Name]; ok {
		bytes -= before.size()
	}
	if m.MaxBytes > 0 && bytes > m.MaxBytes {
		return ErrFull
	}
	if m.saveTo != nil {
		if err := m.saveTo.save(record); err != nil {
			return err
		}
	}
	if m.records == nil {
		m.records = map[string]Record{}
	}
	m.writes++
	record.Revision = strconv.Itoa(m.writes)
	m.records[record.Name], m.bytes = *record.clone(), bytes
	return nil
}

func (r *Record) size() int { return len(r.Content) + overhead }

func (r *Record) clone() *Record {
	clone := *r
	clone.Labels, clone.Content = maps.Clone(r.Labels), slices.Clone(r.Content)
	return &clone
}

func (r *Record) has(labels map[string]string) bool {
	for name, value := range labels {
		if r.Labels[name] != value {
			return false
		}
	}
	return true
}
