// Package azurehost finds the resources of the cluster that have host names of Azure: KeyVaults, such as orders.vault.azure.net, and
// StorageAccounts, such as orders.blob.core.windows.net.
package azurehost

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// Holder returns the resource that has a host name, or nil.
func (k *Kind) Holder(ctx context.Context, cached client.Reader, host string) (Resource, error) {
	declaring, err := k.Declaring(ctx, cached, host)
	if err != nil {
		return nil, err
	}
	return HolderOf(host, declaring), nil
}

// HolderOf returns the one of some resources that has a host name, or nil. While the controller decides between two, it is the older one.
func HolderOf(host string, resources []Resource) Resource {
	var holder Resource
	for _, one := range resources {
		if Has(one, host) && (holder == nil || owner.IsOlder(one, holder)) {
			holder = one
		}
	}
	return holder
}

// Declaring returns the resources that declare a host name, whether they have it or not.
func (k *Kind) Declaring(ctx context.Context, cached client.Reader, host string) ([]Resource, error) {
	return k.List(ctx, cached, client.MatchingFields{declaredField: host})
}

// Holding returns the resources that have any host name, which are few.
func (k *Kind) Holding(ctx context.Context, cached client.Reader) ([]Resource, error) {
	return k.List(ctx, cached, client.MatchingFields{heldField: some})
}

// Named returns the resources with a name, of all namespaces.
func (k *Kind) Named(ctx context.Context, cached client.Reader, name string) ([]Resource, error) {
	return k.List(ctx, cached, client.MatchingFields{owner.Field: name})
}

// List returns resources of the kind.
func (k *Kind) List(ctx context.Context, reader client.Reader, options ...client.ListOption) ([]Resource, error) {
	list := k.newList()
	if err := reader.List(ctx, list, options...); err != nil {
		return nil, fmt.Errorf("list the %ss: %w", k.Name, err)
	}
	var resources []Resource
	err := apimeta.EachListItem(list, func(item runtime.Object) error {
		resource, ok := item.(Resource)
		if !ok {
			return fmt.Errorf("%T has no host names", item)
		}
		resources = append(resources, resource)
		return nil
	})
	return resources, err
}

// Held returns the host names that resources have, sorted.
func (k *Kind) Held(ctx context.Context, cached client.Reader) ([]string, error) {
	holding, err := k.Holding(ctx, cached)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, resource := range holding {
		for _, host := range resource.HeldHosts() {
			if Has(resource, host) {
				hosts = append(hosts, host)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// Has reports whether a resource has a host name: it declares it, and the controller has given it to it.
func Has(resource Resource, host string) bool {
	return slices.Contains(resource.DeclaredHosts(), host) && slices.Contains(resource.HeldHosts(), host)
}

// Allowed are the names that an installation allows: host names, and domains with all names below them.
type Allowed []string

// Allow reports whether a host name is allowed.
func (a Allowed) Allow(host string) bool {
	return slices.ContainsFunc(a, func(one string) bool { return host == one || strings.HasSuffix(host, "."+one) })
}
