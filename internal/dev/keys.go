package dev

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/token"
)

// turnEvery is how often the keys are looked at.
const turnEvery = time.Minute

// keys is the issuer's ring, and what a cluster would have registered and published of it.
type keys struct {
	ring       *token.Ring
	identities []*v1alpha1.ManagedIdentity
	now        func() time.Time

	mu         sync.Mutex
	registered []v1alpha1.SigningKey
}

var _ oidc.Source = (*keys)(nil)

func newKeys(identities []*v1alpha1.ManagedIdentity, now func() time.Time) *keys {
	return &keys{ring: token.NewRing(now), identities: identities, now: now}
}

// SigningKeys are all keys that may have signed a token that is still valid.
func (k *keys) SigningKeys(context.Context) ([]v1alpha1.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.registered), nil
}

// HasTenant tells whether any identity is in a tenant.
func (k *keys) HasTenant(_ context.Context, tenant string) (bool, error) {
	return slices.ContainsFunc(k.identities, func(identity *v1alpha1.ManagedIdentity) bool {
		return string(identity.Status.TenantID) == tenant
	}), nil
}

// turn makes keys that are needed and publishes them: whoever asks this process sees them at once.
func (k *keys) turn() error {
	fresh, err := k.ring.Prepare()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range fresh {
		k.registered = append(k.registered, *key.Registration("dev", "dev"))
	}
	now := k.now()
	k.registered = slices.DeleteFunc(k.registered, func(key v1alpha1.SigningKey) bool { return !token.IsPublishable(key, now) })
	published := map[string]bool{}
	for _, key := range k.registered {
		published[key.Name] = true
	}
	k.ring.Published(published)
	return nil
}

// run turns the keys until the context ends.
func (k *keys) run(ctx context.Context, logger *slog.Logger) {
	ticker := time.NewTicker(turnEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := k.turn(); err != nil {
				logger.Error("cannot renew the signing key; trying again", "error", err)
			}
		}
	}
}
