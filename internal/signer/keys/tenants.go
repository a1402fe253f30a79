package keys

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Tenants returns a function that lists the tenants of all identities.
func Tenants(reader client.Reader) func(context.Context) (map[string]bool, error) {
	return func(ctx context.Context) (map[string]bool, error) {
		var identities v1alpha1.ManagedIdentityList
		if err := reader.List(ctx, &identities, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list the identities: %w", err)
		}
		tenants := map[string]bool{}
		for _, identity := range identities.Items {
			if tenant := string(identity.Status.TenantID); tenant != "" {
				tenants[tenant] = true
			}
		}
		return tenants, nil
	}
}
