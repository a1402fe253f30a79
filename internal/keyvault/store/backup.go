package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrTooLarge is the error of an object that is too large to export.
	ErrTooLarge = errors.New("the object is too large")

	// ErrExists is the error of an import whose name an object has, deleted or not.
	ErrExists = errors.New("there is such an object")
)

// exported is an object with its values by the IDs of their versions.
type exported struct {
	Object *Object           `json:"object"`
	Values map[string][]byte `json:"values"`
}

// Export returns an object with its values. The error is ErrTooLarge if that is more than a number of bytes.
func (s *Store) Export(ctx context.Context, vault, name string, limit int) ([]byte, error) {
	object, err := s.Get(ctx, vault, name)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return nil, ErrMissing
	}
	out, total := exported{object, map[string][]byte{}}, 0
	for _, version := range object.Versions {
		value, err := s.Value(ctx, vault, name, version.ID)
		if err != nil {
			return nil, err
		}
		if total += len(value); total > limit {
			return nil, ErrTooLarge
		}
		out.Values[version.ID] = value
	}
	content, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("render a %s: %w", s.Kind, err)
	}
	if len(content) > limit {
		return nil, ErrTooLarge
	}
	return content, nil
}

// Import makes an object of what Export returned. The error is ErrExists if its name is in use.
func (s *Store) Import(ctx context.Context, vault string, content []byte) (*Object, error) {
	var in exported
	if err := json.Unmarshal(content, &in); err != nil {
		return nil, fmt.Errorf("parse an exported %s: %w", s.Kind, err)
	}
	name := in.Object.Name
	found, err := s.Get(ctx, vault, name)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return nil, ErrExists
	}
	for version, value := range in.Values {
		if err := s.importValue(ctx, vault, name, version, value); err != nil {
			return nil, err
		}
	}
	return s.Change(ctx, vault, name, func(object *Object) error {
		if len(object.Versions) > 0 {
			return ErrExists
		}
		*object = *in.Object
		return nil
	})
}

// importValue keeps a value, which an import that ended halfway may have kept before.
func (s *Store) importValue(ctx context.Context, vault, name, version string, value []byte) error {
	err := s.PutValue(ctx, vault, name, version, value)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	kept, err := s.Value(ctx, vault, name, version)
	if err == nil && !bytes.Equal(kept, value) {
		return ErrExists
	}
	return err
}
