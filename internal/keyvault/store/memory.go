package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory keeps records in memory.
type Memory struct {
	mu      sync.Mutex
	records map[string]Record
	writes  int
}

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
	m.keep(record)
	return nil
}

// Replace implements Records.
func (m *Memory) Replace(_ context.Context, record *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[record.Name].Revision != record.Revision {
		return ErrConflict
	}
	m.keep(record)
	return nil
}

// Delete implements Records.
func (m *Memory) Delete(_ context.Context, record *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.records[record.Name]
	if ok && found.Revision != record.Revision {
		return ErrConflict
	}
	delete(m.records, record.Name)
	return nil
}

func (m *Memory) keep(record *Record) {
	if m.records == nil {
		m.records = map[string]Record{}
	}
	m.writes++
	record.Revision = strconv.Itoa(m.writes)
	m.records[record.Name] = *record.clone()
}

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
