package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// unfinished is how long a value may be there before an object has its version.
const unfinished = time.Hour

// Sweeper removes what nobody can find any more: objects whose retention is over, and values of no object, as a write leaves behind
// that ended halfway.
type Sweeper struct {
	Records Records
	Now     func() time.Time
}

// Sweep sweeps. A record is removed once, whoever else sweeps.
func (s *Sweeper) Sweep(ctx context.Context) error {
	objects, err := s.Records.List(ctx, ObjectLabels())
	if err != nil {
		return fmt.Errorf("list the objects: %w", err)
	}
	found := map[string]bool{}
	for _, record := range objects {
		object, err := decode(record)
		if err != nil {
			return err
		}
		if !object.exists(s.Now()) {
			if err := s.remove(ctx, record); err != nil {
				return err
			}
			continue
		}
		for _, version := range object.Versions {
			found[valueName(record.Name, version.ID)] = true
		}
	}
	return s.sweepValues(ctx, found)
}

// sweepValues removes values that were not found, except those whose write may still go on.
func (s *Sweeper) sweepValues(ctx context.Context, found map[string]bool) error {
	values, err := s.Records.Names(ctx, map[string]string{partLabel: partValue})
	if err != nil {
		return fmt.Errorf("list the values: %w", err)
	}
	for _, record := range values {
		if !found[record.Name] && s.Now().Sub(record.Created) > unfinished {
			if err := s.remove(ctx, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a record, unless it is written meanwhile.
func (s *Sweeper) remove(ctx context.Context, record *Record) error {
	if err := s.Records.Delete(ctx, record); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("remove the record %s: %w", record.Name, err)
	}
	return nil
}
