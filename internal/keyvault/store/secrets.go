package store

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dataKey is the key of a record's content in its Secret.
const dataKey = "data"

// Secrets keeps records in Secrets of one namespace, so that access rights, encryption at rest and backup are the cluster's.
type Secrets struct {
	// Client reads and writes without a cache: a reader sees what was written before.
	Client    client.Client
	Namespace string

	// Cache, if set, is read while the API server cannot be.
	Cache client.Reader
}

// Get implements Records.
func (s *Secrets) Get(ctx context.Context, name string) (*Record, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: s.Namespace, Name: name}
	err := s.read(func(reader client.Reader) error { return reader.Get(ctx, key, &secret) })
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a Secret: %w", err)
	}
	return recordOf(&secret), nil
}

// List implements Records.
func (s *Secrets) List(ctx context.Context, labels map[string]string) ([]*Record, error) {
	var list corev1.SecretList
	err := s.read(func(reader client.Reader) error {
		return reader.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingLabels(labels))
	})
	if err != nil {
		return nil, fmt.Errorf("list Secrets: %w", err)
	}
	records := make([]*Record, len(list.Items))
	for i := range list.Items {
		records[i] = recordOf(&list.Items[i])
	}
	return records, nil
}

// namesPage is how many names are listed at once.
const namesPage = 500

// Names implements Records.
func (s *Secrets) Names(ctx context.Context, labels map[string]string) ([]*Record, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	var records []*Record
	for {
		err := s.Client.List(ctx, list, client.InNamespace(s.Namespace), client.MatchingLabels(labels), client.Limit(namesPage), client.Continue(list.Continue))
		if err != nil {
			return nil, fmt.Errorf("list the names of Secrets: %w", err)
		}
		for i := range list.Items {
			one := &list.Items[i]
			records = append(records, &Record{Name: one.Name, Labels: one.Labels, Revision: one.ResourceVersion, Created: one.CreationTimestamp.Time})
		}
		if list.Continue == "" {
			return records, nil
		}
	}
}

// Create implements Records.
func (s *Secrets) Create(ctx context.Context, record *Record) error {
	secret := s.secretOf(record)
	if err := s.Client.Create(ctx, secret); err != nil {
		return conflictOr(err, "create a Secret")
	}
	record.Revision = secret.ResourceVersion
	return nil
}

// Replace implements Records.
func (s *Secrets) Replace(ctx context.Context, record *Record) error {
	secret := s.secretOf(record)
	if err := s.Client.Update(ctx, secret); err != nil {
		return conflictOr(err, "update a Secret")
	}
	record.Revision = secret.ResourceVersion
	return nil
}

// Delete implements Records.
func (s *Secrets) Delete(ctx context.Context, record *Record) error {
	err := s.Client.Delete(ctx, s.secretOf(record), client.Preconditions{ResourceVersion: &record.Revision})
	if client.IgnoreNotFound(err) != nil {
		return conflictOr(err, "delete a Secret")
	}
	return nil
}

// read reads from the API server, and from the cache if that does not answer.
func (s *Secrets) read(from func(client.Reader) error) error {
	err := from(s.Client)
	if err == nil || s.Cache == nil || !isUnavailable(err) {
		return err
	}
	if cached := from(s.Cache); cached == nil {
		return nil
	}
	// What the cache lacks may be there all the same.
	return err
}

// isUnavailable reports whether an error is not the API server's answer to this request.
func isUnavailable(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= 500 || apierrors.IsTooManyRequests(err)
}

func conflictOr(err error, doing string) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return ErrConflict
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (s *Secrets) secretOf(record *Record) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: record.Name, Labels: record.Labels, ResourceVersion: record.Revision},
		Data:       map[string][]byte{dataKey: record.Content},
	}
	if record.Final {
		secret.Immutable = new(true)
	}
	return secret
}

func recordOf(secret *corev1.Secret) *Record {
	return &Record{
		Name: secret.Name, Labels: secret.Labels, Content: secret.Data[dataKey], Revision: secret.ResourceVersion,
		Final: secret.Immutable != nil && *secret.Immutable, Created: secret.CreationTimestamp.Time,
	}
}
