package controllers

import (
	"context"
	"fmt"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// conflicts finds identities that have an ID in common, by an index of their resolved IDs.
type conflicts struct {
	cached   client.Reader
	defaults identifier.Defaults
}

// idIndex is the name of the index of identities by each of their resolved IDs.
const idIndex = "status.ids"

// keys returns the values of idIndex.
func (c conflicts) keys(object client.Object) []string {
	identity, ok := object.(*v1alpha1.ManagedIdentity)
	if !ok {
		return nil
	}
	return identifier.Resolve(identity, c.defaults).Keys()
}

// older returns the name of the oldest identity with one of the same IDs that is older than an identity, or "".
func (c conflicts) older(ctx context.Context, identity *v1alpha1.ManagedIdentity, resolved identifier.Set) (string, error) {
	oldest := identity
	for _, key := range resolved.Keys() {
		sharing, err := c.with(ctx, key)
		if err != nil {
			return "", err
		}
		for i := range sharing {
			if other := &sharing[i]; other.Name != identity.Name && other.IsOlderThan(oldest) {
				oldest = other
			}
		}
	}
	if oldest == identity {
		return "", nil
	}
	return oldest.Name, nil
}

// of maps an identity to those that share an ID with it.
func (c conflicts) of(ctx context.Context, object client.Object) []ctrl.Request {
	var requests []ctrl.Request
	for _, key := range c.keys(object) {
		sharing, err := c.with(ctx, key)
		if err != nil {
			logMissed(ctx, err)
		}
		for i := range sharing {
			if name := sharing[i].Name; name != object.GetName() {
				requests = append(requests, requestFor(name))
			}
		}
	}
	return requests
}

// changed passes the events after which others may have an ID that they could not have before, or can no longer have it.
func (c conflicts) changed() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return !slices.Equal(c.keys(e.ObjectOld), c.keys(e.ObjectNew)) },
	}
}

// with returns the identities that have an ID. They are shared and must not be changed.
func (c conflicts) with(ctx context.Context, key string) ([]v1alpha1.ManagedIdentity, error) {
	var list v1alpha1.ManagedIdentityList
	if err := c.cached.List(ctx, &list, client.MatchingFields{idIndex: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the identities with the ID %s: %w", key, err)
	}
	return list.Items, nil
}
