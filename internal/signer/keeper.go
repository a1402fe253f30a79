package signer

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
	// lookEvery is how often the keys are looked at without a reason.
	lookEvery = 30 * time.Second

	// settling is for how long a difference in tenants must last before it is published: otherwise replicas that hear of an
	// identity one after the other would write against each other.
	settling = time.Second
)

// Keeper keeps the ring of keys in a Secret and publishes it in a ConfigMap. Its replicas agree because each writes only on
// top of what it has read.
type Keeper struct {
	// Client reads from caches, and writes.
	Client client.Client

	// Secret holds the ring, ConfigMap what is published of it.
	Secret, ConfigMap client.ObjectKey

	// Tenants are those that any identity is in.
	Tenants func(ctx context.Context) (map[string]bool, error)

	Policy keyring.Policy

	// Source is where keys come from.
	Source *Source

	// Changes is told of every change of the two objects and of identities.
	Changes *directory.Changes

	Now func() time.Time
	Log logr.Logger

	opened  atomic.Pointer[keyring.Opened]
	differs time.Time

	// unfit is since when the next key is not kept where keys are to be, and missing why there is none.
	unfit   time.Time
	missing string
}

// Key is the key that signs; nil while there is none.
func (k *Keeper) Key() *token.Key {
	if opened := k.opened.Load(); opened != nil {
		return opened.Signing
	}
	return nil
}

// Ready tells whether there is a key to sign with.
func (k *Keeper) Ready() bool { return k.Key() != nil }

// NeedLeaderElection says that every replica keeps the ring.
func (k *Keeper) NeedLeaderElection() bool { return false }

// Start keeps the ring until the context ends.
func (k *Keeper) Start(ctx context.Context) error {
	for {
		changed := k.Changes.Next()
		if err := k.reconcile(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error(err, "cannot look after the signing keys; trying again")
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

// reconcile takes the ring one step further, and publishes what it is then.
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
		// It is written anew.
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

// open makes the ring the one that signs, unless a newer one does already.
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

// publish writes what is to be known of the opened ring, unless that is of a newer one already.
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

// settled tells whether what is published has been another than what is to be for long enough.
func (k *Keeper) settled() bool {
	if k.differs.IsZero() {
		k.differs = k.Now()
	}
	return k.Now().Sub(k.differs) >= settling
}

// ignoreConflict takes it that somebody else was first: that will be heard of.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
