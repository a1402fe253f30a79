// Package store keeps the objects of vaults. Each named object has one record with everything but its values, which writes replace with
// optimistic concurrency, and one for the value of each version, which is written before its version is there to be found.
package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// The labels of records: the vault's UID, which kind of object, and what of it.
	vaultLabel  = "kube-imds.io/vault"
	kindLabel   = "kube-imds.io/vault-object"
	objectLabel = "kube-imds.io/vault-object-id"
	partLabel   = "kube-imds.io/vault-part"

	partObject = "object"
	partValue  = "value"

	// maxObject bounds an object without its values, in bytes: a Secret takes a megabyte.
	maxObject = 900 << 10

	// attempts bounds how often a write is tried again because another one came first.
	attempts = 20
)

// Labels are those of all records.
func Labels() map[string]string { return map[string]string{"app.kubernetes.io/component": "keyvault"} }

// ObjectLabels are those of the records of objects without their values.
func ObjectLabels() map[string]string { return map[string]string{partLabel: partObject} }

var (
	// ErrTooManyVersions is the error of an object that has no room for one more version.
	ErrTooManyVersions = errors.New("the object has too many versions: purge it, or use another name")

	// ErrMissing is the error of a value that is gone.
	ErrMissing = errors.New("there is no such value")
)

// Store keeps the objects of one kind.
type Store struct {
	Records Records

	// Kind is the kind of objects, such as secret.
	Kind string

	Now func() time.Time
}

// Get returns an object of a vault, deleted or not, or nil if there is none.
func (s *Store) Get(ctx context.Context, vault, name string) (*Object, error) {
	_, object, err := s.read(ctx, vault, name)
	if err != nil || !object.exists(s.Now()) {
		return nil, err
	}
	return object, nil
}

// List returns the objects of a vault by name, deleted ones among them.
func (s *Store) List(ctx context.Context, vault string) ([]*Object, error) {
	all, err := s.list(ctx, map[string]string{vaultLabel: vault})
	if err != nil {
		return nil, err
	}
	objects := make([]*Object, len(all))
	for i, one := range all {
		objects[i] = one.Object
	}
	slices.SortFunc(objects, func(a, b *Object) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return objects, nil
}

// Located is an object and the UID of its vault.
type Located struct {
	Vault  string
	Object *Object
}

// All returns the objects of all vaults, deleted ones among them.
func (s *Store) All(ctx context.Context) ([]Located, error) { return s.list(ctx, map[string]string{}) }

// list returns the objects that have all the labels.
func (s *Store) list(ctx context.Context, labels map[string]string) ([]Located, error) {
	labels[kindLabel], labels[partLabel] = s.Kind, partObject
	records, err := s.Records.List(ctx, labels)
	if err != nil {
		return nil, fmt.Errorf("list the %ss: %w", s.Kind, err)
	}
	var all []Located
	for _, record := range records {
		object, err := decode(record)
		if err != nil {
			return nil, err
		}
		if object.exists(s.Now()) {
			all = append(all, Located{record.Labels[vaultLabel], object})
		}
	}
	return all, nil
}

// Value returns the value of a version.
func (s *Store) Value(ctx context.Context, vault, name, version string) ([]byte, error) {
	record, err := s.Records.Get(ctx, valueName(s.id(vault, name), version))
	if err == nil && record == nil {
		err = ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("read the value of a %s: %w", s.Kind, err)
	}
	return record.Content, nil
}

// PutValue keeps the value of a version that is about to be added. Until then nobody finds it.
func (s *Store) PutValue(ctx context.Context, vault, name, version string, value []byte) error {
	record := s.record(vault, name, partValue)
	record.Name, record.Content, record.Final = valueName(s.id(vault, name), version), value, true
	if err := s.Records.Create(ctx, record); err != nil {
		return fmt.Errorf("keep the value of a %s: %w", s.Kind, err)
	}
	return nil
}

// Change changes an object, which has no versions if there is none yet. If another write comes first, edit is called again with its
// result. What edit returns as an error is returned as it is.
func (s *Store) Change(ctx context.Context, vault, name string, edit func(object *Object) error) (*Object, error) {
	for range attempts {
		record, object, err := s.read(ctx, vault, name)
		if err != nil {
			return nil, err
		}
		if !object.exists(s.Now()) {
			object = &Object{Name: name}
		}
		if err := edit(object); err != nil {
			return nil, err
		}
		err = s.write(ctx, record, object)
		if err == nil {
			return object, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("others change the %s again and again", s.Kind)
}

// Remove removes an object with its values, now.
func (s *Store) Remove(ctx context.Context, vault, name string) error {
	now := s.Now().Unix()
	_, err := s.Change(ctx, vault, name, func(object *Object) error {
		object.Deleted = &Deletion{Date: now, Purge: now}
		return nil
	})
	if err != nil {
		return err
	}
	return s.Purge(ctx, vault, name)
}

// Purge removes an object that no longer exists with its values. If it was made again meanwhile, the new one stays.
func (s *Store) Purge(ctx context.Context, vault, name string) error {
	record, object, err := s.read(ctx, vault, name)
	if err != nil || record.Revision == "" || object.exists(s.Now()) {
		return err
	}
	// The object goes last, so that what is left of a purge that ended halfway is purged later.
	for _, version := range object.Versions {
		if err := s.delete(ctx, valueName(record.Name, version.ID)); err != nil {
			return err
		}
	}
	if err := s.Records.Delete(ctx, record); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("purge a %s: %w", s.Kind, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, name string) error {
	record, err := s.Records.Get(ctx, name)
	if err == nil && record != nil {
		err = s.Records.Delete(ctx, record)
	}
	if err != nil {
		return fmt.Errorf("purge a value of a %s: %w", s.Kind, err)
	}
	return nil
}

// read returns the record of an object and the object, both new if there is none.
func (s *Store) read(ctx context.Context, vault, name string) (*Record, *Object, error) {
	record, err := s.Records.Get(ctx, s.id(vault, name))
	if err != nil {
		return nil, nil, fmt.Errorf("read a %s: %w", s.Kind, err)
	}
	if record == nil {
		record = s.record(vault, name, partObject)
		record.Name = s.id(vault, name)
		return record, &Object{}, nil
	}
	object, err := decode(record)
	return record, object, err
}

// write keeps an object, unless another write came first.
func (s *Store) write(ctx context.Context, record *Record, object *Object) error {
	content, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("render a %s: %w", s.Kind, err)
	}
	if len(content) > maxObject {
		return ErrTooManyVersions
	}
	record.Content = content
	if record.Revision == "" {
		err = s.Records.Create(ctx, record)
	} else {
		err = s.Records.Replace(ctx, record)
	}
	if err != nil {
		return fmt.Errorf("write a %s: %w", s.Kind, err)
	}
	return nil
}

// record returns an empty record of a part of an object.
func (s *Store) record(vault, name, part string) *Record {
	labels := Labels()
	labels[vaultLabel], labels[kindLabel], labels[objectLabel], labels[partLabel] = vault, s.Kind, s.id(vault, name), part
	return &Record{Labels: labels}
}

// id returns a name for the record of an object. Names of objects have capitals and are too long for one.
func (s *Store) id(vault, name string) string {
	hash := sha256.Sum256([]byte(vault + "/" + s.Kind + "/" + strings.ToLower(name)))
	return s.Kind + "-" + hex.EncodeToString(hash[:20])
}

func valueName(id, version string) string { return id + "-" + version }

func decode(record *Record) (*Object, error) {
	var object Object
	if err := json.Unmarshal(record.Content, &object); err != nil {
		return nil, fmt.Errorf("parse the record %s: %w", record.Name, err)
	}
	return &object, nil
}
