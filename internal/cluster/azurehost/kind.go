package azurehost

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// Kind is a kind of resources that may have host names of Azure.
type Kind struct {
	// Name is the kind's name, and Plural what several are called.
	Name, Plural string

	// Part serves it, and Value is the chart's value with its settings.
	Part  install.Part
	Value string

	// Domains are those below which Azure's clouds have its host names. No two kinds have the same.
	Domains []string

	// New returns an empty object.
	New func() Resource

	newList func() client.ObjectList
}

// Resource is an object of one of the kinds.
type Resource interface {
	client.Object

	// DeclaredHosts are the host names of Azure that the resource asks for, and HeldHosts those that the controller has given to it.
	DeclaredHosts() []string
	HeldHosts() []string
	SetHeldHosts(hosts []string)

	StatusConditions() *[]metav1.Condition
}

// The kinds.
var (
	KeyVaults = &Kind{
		Name: "KeyVault", Plural: "vaults", Part: install.KeyVault, Value: "keyVault",
		Domains: []string{"vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net"},
		New:     func() Resource { return &v1alpha1.KeyVault{} },
		newList: func() client.ObjectList { return &v1alpha1.KeyVaultList{} },
	}
	StorageAccounts = &Kind{
		Name: "StorageAccount", Plural: "storage accounts", Part: install.StorageGate, Value: "storage",
		Domains: []string{
			"blob.core.windows.net", "queue.core.windows.net", "table.core.windows.net",
			"blob.core.chinacloudapi.cn", "queue.core.chinacloudapi.cn", "table.core.chinacloudapi.cn",
			"blob.core.usgovcloudapi.net", "queue.core.usgovcloudapi.net", "table.core.usgovcloudapi.net",
		},
		New:     func() Resource { return &v1alpha1.StorageAccount{} },
		newList: func() client.ObjectList { return &v1alpha1.StorageAccountList{} },
	}
)

// Kinds are all of them.
var Kinds = []*Kind{KeyVaults, StorageAccounts}

// KindOf returns the kind whose resources may have a host name, or nil.
func KindOf(host string) *Kind {
	_, domain, _ := strings.Cut(host, ".")
	for _, kind := range Kinds {
		if slices.Contains(kind.Domains, domain) {
			return kind
		}
	}
	return nil
}

// Indexes are those by which caches find the resources of a kind.
var Indexes = map[string]client.IndexerFunc{
	owner.Field:   owner.Values,
	declaredField: func(object client.Object) []string { return ofResource(object, Resource.DeclaredHosts) },
	heldField: func(object client.Object) []string {
		if len(ofResource(object, Resource.HeldHosts)) == 0 {
			return nil
		}
		return []string{some}
	},
}

const (
	// declaredField selects resources by the host names that they declare.
	declaredField = "spec.publicHosts"

	// heldField selects those that have some.
	heldField = "status.publicHosts"
	some      = "some"
)

func ofResource(object client.Object, hosts func(Resource) []string) []string {
	resource, ok := object.(Resource)
	if !ok {
		return nil
	}
	return hosts(resource)
}

// Index makes a cache able to find the resources of the kind.
func (k *Kind) Index(ctx context.Context, indexer client.FieldIndexer) error {
	for field, values := range Indexes {
		if err := indexer.IndexField(ctx, k.New(), field, values); err != nil {
			return fmt.Errorf("index the %ss by %s: %w", k.Name, field, err)
		}
	}
	return nil
}
