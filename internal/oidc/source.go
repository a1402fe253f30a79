package oidc

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Source knows what the documents tell of.
type Source interface {
	// SigningKeys are the registered keys, in any order.
	SigningKeys(ctx context.Context) ([]v1alpha1.SigningKey, error)

	// HasTenant tells whether any identity is in a tenant, which is in lower case.
	HasTenant(ctx context.Context, tenant string) (bool, error)
}

// Cluster reads what is registered in a cluster.
type Cluster struct {
	// Reader reads from caches.
	Reader client.Reader
}

var _ Source = Cluster{}

// SigningKeys are the cluster's SigningKeys.
func (c Cluster) SigningKeys(ctx context.Context) ([]v1alpha1.SigningKey, error) {
	var keys v1alpha1.SigningKeyList
	if err := c.Reader.List(ctx, &keys); err != nil {
		return nil, fmt.Errorf("list the signing keys: %w", err)
	}
	return keys.Items, nil
}

// HasTenant looks through the cluster's ManagedIdentities.
func (c Cluster) HasTenant(ctx context.Context, tenant string) (bool, error) {
	var identities v1alpha1.ManagedIdentityList
	if err := c.Reader.List(ctx, &identities, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list the identities: %w", err)
	}
	for _, identity := range identities.Items {
		if tenant == string(identity.Status.TenantID) {
			return true, nil
		}
	}
	return false, nil
}
