package keys

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/token"
)

const (
	// lookEvery is how often the ring is checked without a change.
	lookEvery = 30 * time.Second

	// settling is how long the tenants must stay different before they are published: replicas that hear of an identity one
	// after the other would otherwise overwrite each other.
	settling = time.Second
)

// Keeper keeps the ring of keys in a Secret and publishes it in a ConfigMap. Replicas agree because each writes only on top
// of what it has read.
type Keeper struct {
	// Name is the ring's name in metrics.
	Name string

	// Client reads from caches.
	Client client.Client

	// Secret holds the ring, and ConfigMap what is published of it.
	Secret, ConfigMap client.ObjectKey

	// Tenants lists the tenants of all identities.
	Tenants func(ctx context.Context) (map[string]bool, error)

	Policy keyring.Policy

	// Source supplies new keys.
	Source *Source

	// Seen reports whether validators can see a key, if the ConfigMap alone does not show that.
	Seen func(keyID string) bool

	// Changes wakes the Keeper when one of the two objects or an identity changes.
	Changes *directory.Changes

	Now func() time.Time
	Log logr.Logger

	opened  atomic.Pointer[keyring.Opened]
	differs time.Time

	// unfit is when the next key was first found in the wrong place, and missing is why there is no next key.
	unfit   time.Time
	missing string
}

// Key returns the key that signs; nil while there is none.
func (k *Keeper) Key() *token.Key {
	if opened := k.opened.Load(); opened != nil {
		return opened.Signing
	}
	return nil
}

// KeyIDs returns the IDs of the keys that validators should know.
func (k *Keeper) KeyIDs() []string {
	opened := k.opened.Load()
	if opened == nil {
		return nil
	}
	var ids []string
	for _, slot := range opened.Ring.Published() {
		ids = append(ids, slot.ID)
	}
	return ids
}

// Ready reports whether there is a key to sign with.
func (k *Keeper) Ready() bool { return k.Key() != nil }

// NeedLeaderElection returns false: every replica keeps the ring.
func (k *Keeper) NeedLeaderElection() bool { return false }

// Start keeps the ring until the context ends.
func (k *Keeper) Start(ctx context.Context) error {
	for {
		changed := k.Changes.Next()
		if err := k.reconcile(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error(err, "reconcile the signing keys failed; retrying")
		}
		wait := lookEvery
		if !k.differs.IsZero() {
			wait = settling
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		case <-changed:
		}
	}
}

// reconcile takes the ring one step further and publishes it.
func (k *Keeper) reconcile(ctx context.Context) error {
	var secret corev1.Secret
	if err := k.Client.Get(ctx, k.Secret, &secret); err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	var configMap corev1.ConfigMap
	if err := k.Client.Get(ctx, k.ConfigMap, &configMap); err != nil {
		return fmt.Errorf("read the published keys: %w", err)
	}
	known, err := published.Read(configMap.Data)
	if err != nil {
		// It is overwritten.
		k.Log.Error(err, "what is published cannot be read")
	}
	ring, err := k.advance(ctx, &secret, known)
	if err != nil {
		return ignoreConflict(err)
	}
	if err := k.open(ring); err != nil {
		return err
	}
	return ignoreConflict(k.publish(ctx, &configMap, known))
}

// open makes the ring the one that signs, unless a newer one does.
func (k *Keeper) open(ring keyring.Ring) error {
	if before := k.opened.Load(); before != nil && ring.Generation <= before.Ring.Generation {
		return nil
	}
	opened, err := keyring.Open(ring, k.Source.sign)
	if err != nil {
		return err
	}
	before := k.Key()
	k.opened.Store(opened)
	if now := opened.Signing; now != nil && (before == nil || before.ID != now.ID) {
		k.Log.Info("signing with another key", "keyID", now.ID)
	}
	return nil
}

// publish writes the public part of the ring, unless a newer one is published.
func (k *Keeper) publish(ctx context.Context, configMap *corev1.ConfigMap, known *published.Published) error {
	opened := k.opened.Load()
	tenants, err := k.Tenants(ctx)
	if err != nil {
		return err
	}
	data := (&published.Published{
		JWKS: opened.JWKS, Tenants: tenants, Generation: opened.Ring.Generation, Revocations: opened.Ring.Revocations,
	}).Data()
	if maps.Equal(data, configMap.Data) || known != nil && known.Generation > opened.Ring.Generation {
		k.differs = time.Time{}
		return nil
	}
	if known != nil && known.Generation == opened.Ring.Generation && !k.settled() {
		return nil
	}
	k.differs = time.Time{}
	configMap.Data = data
	if err := k.Client.Update(ctx, configMap); err != nil {
		return fmt.Errorf("publish the keys: %w", err)
	}
	k.Log.Info("published the keys", "generation", opened.Ring.Generation, "tenants", len(tenants))
	return nil
}

// settled reports whether the tenants have been different for long enough.
func (k *Keeper) settled() bool {
	if k.differs.IsZero() {
		k.differs = k.Now()
	}
	return k.Now().Sub(k.differs) >= settling
}

// ignoreConflict drops the error of a write that another replica was first with; the watch will report the change.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
