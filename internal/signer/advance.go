package signer

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/published"
)

// advance is the ring of the Secret after one look at it. What has changed is kept before anybody may use it.
func (k *Keeper) advance(ctx context.Context, secret *corev1.Secret, known *published.Published) (keyring.Ring, error) {
	ring, err := keyring.Parse(secret.Data[keyring.SecretKey])
	if err != nil {
		return ring, err
	}
	if ring.IsEmpty() {
		ring = k.succeed(known)
	}
	orders := keyring.OrdersOf(secret)
	next, rotated, err := ring.Advance(keyring.Look{
		Published: known.Has, Policy: k.Policy, Orders: orders, Now: k.Now(),
	}, keyring.NewSlot)
	if err != nil {
		return ring, err
	}
	if next.Generation == ring.Generation && len(orders.Revoke) == 0 {
		return ring, nil
	}
	if err := next.Keep(secret, rotated); err != nil {
		return ring, err
	}
	if err := k.Client.Update(ctx, secret); err != nil {
		return ring, fmt.Errorf("keep the signing keys: %w", err)
	}
	k.Log.Info("changed the signing keys", "generation", next.Generation, "rotated", rotated, "revocations", next.Revocations)
	return next, nil
}

// succeed is an empty ring after those that were before, which somebody has taken away: all their keys are revoked.
func (k *Keeper) succeed(known *published.Published) keyring.Ring {
	var ring keyring.Ring
	if known != nil {
		ring.Generation, ring.Revocations = known.Generation, known.Revocations+1
	}
	if opened := k.opened.Load(); opened != nil {
		ring.Generation = max(ring.Generation, opened.Ring.Generation)
		ring.Revocations = max(ring.Revocations, opened.Ring.Revocations+1)
	}
	return ring
}
