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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// The labels of the Secrets: the vault's UID, which kind of object, and what of it.
	vaultLabel  = "kube-imds.io/vault"
	kindLabel   = "kube-imds.io/vault-object"
	objectLabel = "kube-imds.io/vault-object-id"
	partLabel   = "kube-imds.io/vault-part"

	partObject = "object"
	partValue  = "value"

	dataKey = "data"

	// maxObject bounds an object without its values, in bytes: a Secret takes a megabyte.
	maxObject = 900 << 10

	// attempts bounds how often a write is tried again because another one came first.
	attempts = 20
)

// ErrTooManyVersions is the error of an object that has no room for one more version.
var ErrTooManyVersions = errors.New("the object has too many versions: purge it, or use another name")

// Store keeps the objects of one kind.
type Store struct {
	// Client reads and writes Secrets without a cache: a reader sees what was written before.
	Client    client.Client
	Namespace string

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
	var list corev1.SecretList
	err := s.Client.List(ctx, &list, client.InNamespace(s.Namespace),
		client.MatchingLabels{vaultLabel: vault, kindLabel: s.Kind, partLabel: partObject})
	if err != nil {
		return nil, fmt.Errorf("list the %ss of a vault: %w", s.Kind, err)
	}
	var objects []*Object
	for i := range list.Items {
		object, err := decode(&list.Items[i])
		if err != nil {
			return nil, err
		}
		if object.exists(s.Now()) {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b *Object) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return objects, nil
}

// Value returns the value of a version.
func (s *Store) Value(ctx context.Context, vault, name, version string) ([]byte, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: s.Namespace, Name: valueName(s.id(vault, name), version)}
	if err := s.Client.Get(ctx, key, &secret); err != nil {
		return nil, fmt.Errorf("read the value of a %s: %w", s.Kind, err)
	}
	return secret.Data[dataKey], nil
}

// PutValue keeps the value of a version that is about to be added. Until then nobody finds it.
func (s *Store) PutValue(ctx context.Context, vault, name, version string, value []byte) error {
	secret := s.secret(vault, name, partValue)
	secret.Name, secret.Data, secret.Immutable = valueName(s.id(vault, name), version), map[string][]byte{dataKey: value}, new(true)
	if err := s.Client.Create(ctx, secret); err != nil {
		return fmt.Errorf("keep the value of a %s: %w", s.Kind, err)
	}
	return nil
}

// Change changes an object, which has no versions if there is none yet. If another write comes first, edit is called again with its
// result. What edit returns as an error is returned as it is.
func (s *Store) Change(ctx context.Context, vault, name string, edit func(object *Object) error) (*Object, error) {
	for range attempts {
		secret, object, err := s.read(ctx, vault, name)
		if err != nil {
			return nil, err
		}
		if !object.exists(s.Now()) {
			object = &Object{Name: name}
		}
		if err := edit(object); err != nil {
			return nil, err
		}
		err = s.write(ctx, secret, object)
		if err == nil {
			return object, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("others change the %s again and again", s.Kind)
}

// Purge removes an object and all its values.
func (s *Store) Purge(ctx context.Context, vault, name string) error {
	// The object goes last, so that what is left of a purge that ended halfway can be purged again.
	for _, part := range []string{partValue, partObject} {
		err := s.Client.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(s.Namespace),
			client.MatchingLabels{vaultLabel: vault, kindLabel: s.Kind, objectLabel: s.id(vault, name), partLabel: part})
		if err != nil {
			return fmt.Errorf("purge a %s: %w", s.Kind, err)
		}
	}
	return nil
}

// read returns the Secret of an object and the object, both empty if there is none.
func (s *Store) read(ctx context.Context, vault, name string) (*corev1.Secret, *Object, error) {
	secret := s.secret(vault, name, partObject)
	secret.Name = s.id(vault, name)
	err := s.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if apierrors.IsNotFound(err) {
		return secret, &Object{}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read a %s: %w", s.Kind, err)
	}
	object, err := decode(secret)
	return secret, object, err
}

// write creates or replaces the Secret of an object, unless another write came first.
func (s *Store) write(ctx context.Context, secret *corev1.Secret, object *Object) error {
	content, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("render a %s: %w", s.Kind, err)
	}
	if len(content) > maxObject {
		return ErrTooManyVersions
	}
	secret.Data = map[string][]byte{dataKey: content}
	if secret.ResourceVersion == "" {
		err = s.Client.Create(ctx, secret)
	} else {
		err = s.Client.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("write a %s: %w", s.Kind, err)
	}
	return nil
}

// secret returns an empty Secret for a part of an object.
func (s *Store) secret(vault, name, part string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace,
		Labels: map[string]string{
			vaultLabel: vault, kindLabel: s.Kind, objectLabel: s.id(vault, name), partLabel: part, "app.kubernetes.io/component": "keyvault",
		},
	}}
}

// id returns a name for the Secret of an object. Names of objects have capitals and are too long for one.
func (s *Store) id(vault, name string) string {
	hash := sha256.Sum256([]byte(vault + "/" + s.Kind + "/" + strings.ToLower(name)))
	return s.Kind + "-" + hex.EncodeToString(hash[:20])
}

func valueName(id, version string) string { return id + "-" + version }

func decode(secret *corev1.Secret) (*Object, error) {
	var object Object
	if err := json.Unmarshal(secret.Data[dataKey], &object); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return &object, nil
}
