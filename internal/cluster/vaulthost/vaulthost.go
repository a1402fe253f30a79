// Package vaulthost finds KeyVaults by the host names of Azure that they have, such as orders.vault.azure.net.
package vaulthost

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Field selects vaults in caches with Index, by the names that they declare.
const Field = "spec.publicHosts"

// Index makes a cache able to find vaults.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.KeyVault{}, Field, Values); err != nil {
		return fmt.Errorf("index the KeyVaults by public host: %w", err)
	}
	return nil
}

// Values returns the values of Field.
func Values(object client.Object) []string {
	vault, ok := object.(*v1alpha1.KeyVault)
	if !ok {
		return nil
	}
	var hosts []string
	for _, host := range vault.Spec.PublicHosts {
		hosts = append(hosts, string(host))
	}
	return hosts
}

// Holder returns the vault that has a host name, or nil.
func Holder(ctx context.Context, cached client.Reader, host string) (*v1alpha1.KeyVault, error) {
	declaring, err := Declaring(ctx, cached, host)
	if err != nil {
		return nil, err
	}
	return HolderOf(host, declaring), nil
}

// HolderOf returns the one of some vaults that has a host name, or nil. While the controller decides between two, it is the older one.
func HolderOf(host string, vaults []v1alpha1.KeyVault) *v1alpha1.KeyVault {
	var holder *v1alpha1.KeyVault
	for i := range vaults {
		if one := &vaults[i]; Has(one, host) && (holder == nil || one.IsOlderThan(holder)) {
			holder = one
		}
	}
	return holder
}

// Declaring returns the vaults that declare a host name, whether they have it or not.
func Declaring(ctx context.Context, cached client.Reader, host string) ([]v1alpha1.KeyVault, error) {
	var list v1alpha1.KeyVaultList
	if err := cached.List(ctx, &list, client.MatchingFields{Field: host}); err != nil {
		return nil, fmt.Errorf("find the KeyVault of the host %s: %w", host, err)
	}
	return list.Items, nil
}

// Held returns the host names that vaults have, sorted.
func Held(ctx context.Context, cached client.Reader) ([]string, error) {
	var list v1alpha1.KeyVaultList
	if err := cached.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the public hosts of the KeyVaults: %w", err)
	}
	var hosts []string
	for i := range list.Items {
		for _, host := range list.Items[i].Status.PublicHosts {
			if Has(&list.Items[i], string(host)) {
				hosts = append(hosts, string(host))
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// Has reports whether a vault has a host name: it declares it, and the controller has given it to it.
func Has(vault *v1alpha1.KeyVault, host string) bool {
	name := v1alpha1.VaultHost(host)
	return slices.Contains(vault.Spec.PublicHosts, name) && slices.Contains(vault.Status.PublicHosts, name)
}

// Allowed are the names that an installation allows vaults to have: host names, and domains with all names below them.
type Allowed []string

// Allow reports whether a vault may have a host name.
func (a Allowed) Allow(host string) bool {
	return slices.ContainsFunc(a, func(one string) bool { return host == one || strings.HasSuffix(host, "."+one) })
}
