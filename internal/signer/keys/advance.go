package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/published"
)

// advance returns the ring of the Secret after its next step. A changed ring is stored before it is used.
func (k *Keeper) advance(ctx context.Context, secret *corev1.Secret, known *published.Published) (keyring.Ring, error) {
	kept, err := keyring.Parse(secret.Data[keyring.SecretKey])
	if err != nil {
		return kept, err
	}
	ring := kept
	if ring.IsEmpty() {
		ring = k.succeed(known)
	}
	seen := known.Has
	if k.Seen != nil {
		seen = k.Seen
	}
	newSlot := func() (keyring.Slot, error) { return k.Source.newSlot(ctx, ring, k.Now()) }
	orders := keyring.OrdersOf(secret)
	var missing error
	ring, orders.Rotate, missing = k.follow(ring, orders.Rotate, newSlot)
	next, rotated, err := ring.Advance(keyring.Input{
		Published: seen, Policy: k.Policy, Orders: orders, Now: k.Now(),
	}, newSlot)
	k.tellMissing(errors.Join(missing, err))
	next = next.Spend(ring)
	if next.Generation == kept.Generation && len(orders.Revoke) == 0 {
		return next, nil
	}
	if err := next.Store(secret, rotated); err != nil {
		return ring, err
	}
	if err := k.Client.Update(ctx, secret); err != nil {
		return ring, fmt.Errorf("keep the signing keys: %w", err)
	}
	k.Log.Info("changed the signing keys", "generation", next.Generation, "rotated", rotated, "revocations", next.Revocations)
	return next, nil
}

// succeed returns an empty ring to replace a deleted one. All its keys are revoked.
func (k *Keeper) succeed(known *published.Published) keyring.Ring {
	var ring keyring.Ring
	if known != nil {
		ring.Generation, ring.Revocations = known.Generation+1, known.Revocations+1
	}
	if opened := k.opened.Load(); opened != nil {
		ring.Generation = max(ring.Generation, opened.Ring.Generation+1)
		ring.Revocations = max(ring.Revocations, opened.Ring.Revocations+1)
		ring.Spent = opened.Ring.Spent
		ring = ring.Spend(opened.Ring)
	}
	if known != nil {
		ring = ring.SpendIDs(slices.Sorted(maps.Keys(known.KeyIDs)))
	}
	return ring
}
