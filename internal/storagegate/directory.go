package storagegate

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/resource/assigned"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Directory finds storage accounts and role assignments in a cache.
type Directory struct {
	Reader client.Reader

	// Domain is what hosts end in after the service, such as kube-imds-system.svc.
	Domain string

	// TenantID is that of accounts that name none.
	TenantID string

	// Known reports whether the backend has an account by its name for the object with a UID.
	Known func(name string, uid types.UID) bool
}

// Find returns the account of a host name, of the cluster or of Azure, or nil. Of several with the same name it is the oldest, to which the
// name belongs.
func (d *Directory) Find(ctx context.Context, host string) (*Account, error) {
	name, rest, _ := strings.Cut(host, ".")
	service, domain, _ := strings.Cut(rest, ".")
	if serviceOf(host) == "" {
		return nil, nil
	}
	found, err := served(ctx, d.Reader, name)
	if err != nil || found == nil {
		return nil, err
	}
	if domain != d.Domain && domain != d.Domain+".cluster.local" && !azurehost.Has(found, host) {
		return nil, nil
	}
	return d.account(found, Service(service), host), nil
}

// served returns the account to which a name belongs, or nil if there is none, or none that has its names yet.
func served(ctx context.Context, reader client.Reader, name string) (*v1alpha1.StorageAccount, error) {
	var found v1alpha1.StorageAccountList
	if err := reader.List(ctx, &found, client.MatchingFields{owner.Field: name}); err != nil {
		return nil, fmt.Errorf("find the StorageAccount %s: %w", name, err)
	}
	account := owner.Of(name, found.Items)
	if account == nil || account.Status.Blob == "" || !account.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	return account, nil
}

func (d *Directory) account(found *v1alpha1.StorageAccount, service Service, host string) *Account {
	tenant := string(found.Spec.TenantID)
	if tenant == "" {
		tenant = d.TenantID
	}
	return &Account{
		Namespace: found.Namespace, Name: found.Name, Service: service, Host: host, TenantID: tenant,
		SharedKey: found.Spec.AllowSharedKeyAccess, Ready: d.Known(found.Name, found.UID),
	}
}

// Assignments returns the role assignments of an account.
func (d *Directory) Assignments(ctx context.Context, account *Account) ([]role.Assignment, error) {
	return assigned.At(ctx, d.Reader, account.Namespace, func(scope v1alpha1.AssignmentScope) bool {
		return scope.StorageAccount == account.Name
	})
}
