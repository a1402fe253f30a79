package capability

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Store keeps a set in a Secret. Other contents are left alone.
type Store struct {
	Client client.Client
	Key    client.ObjectKey
}

// Good returns the set in the client's cache; empty if there is none.
func (s Store) Good(ctx context.Context) Set {
	var secret corev1.Secret
	// It is read with each request, and not changed, so that it need not be copied.
	if s.Client.Get(ctx, s.Key, &secret, &client.GetOptions{UnsafeDisableDeepCopy: new(true)}) != nil {
		return Set{}
	}
	return Parse(secret.Data[SecretKey])
}

// Renew stores and returns the set of the period that starts now. It fails if the Secret has changed since it was cached.
func (s Store) Renew(ctx context.Context, now time.Time) (Set, error) {
	var secret corev1.Secret
	if err := s.Client.Get(ctx, s.Key, &secret); err != nil {
		return Set{}, fmt.Errorf("read the Secret %s: %w", s.Key.Name, err)
	}
	before := secret.DeepCopy()
	renewed := Parse(secret.Data[SecretKey]).Renew(now)
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[SecretKey] = renewed.Encode()
	if err := s.Client.Patch(ctx, &secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return Set{}, fmt.Errorf("renew the webhook's capabilities: %w", err)
	}
	return renewed, nil
}
