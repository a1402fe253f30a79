package keyvault

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/resource/assigned"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Directory finds vaults and role assignments in a cache.
type Directory struct {
	Reader client.Reader

	// Domain is what the vaults' hosts end in, such as vault.kube-imds-system.svc.
	Domain string

	// TenantID is that of vaults that name none, and LoginURL what the URLs of tenants begin with.
	TenantID, LoginURL string
}

// Find returns the vault of a host name, or nil. Of several with the same name it is the oldest, whatever a status says.
func (d *Directory) Find(ctx context.Context, host string) (*Vault, error) {
	name, domain, _ := strings.Cut(host, ".")
	if domain != d.Domain && domain != d.Domain+".cluster.local" {
		return d.findPublic(ctx, host, domain)
	}
	var found v1alpha1.KeyVaultList
	if err := d.Reader.List(ctx, &found, client.MatchingFields{owner.Field: name}); err != nil {
		return nil, fmt.Errorf("find the KeyVault %s: %w", name, err)
	}
	vault := owner.Of(name, found.Items)
	if vault == nil {
		return nil, nil
	}
	return d.vault(vault, host, domain), nil
}

// findPublic returns the vault that has a host name of Azure, or nil.
func (d *Directory) findPublic(ctx context.Context, host, domain string) (*Vault, error) {
	holder, err := azurehost.KeyVaults.Holder(ctx, d.Reader, host)
	if err != nil {
		return nil, err
	}
	found, ok := holder.(*v1alpha1.KeyVault)
	if !ok || found.Status.URI == "" {
		return nil, nil
	}
	return d.vault(found, host, domain), nil
}

func (d *Directory) vault(found *v1alpha1.KeyVault, host, domain string) *Vault {
	tenant := string(found.Spec.TenantID)
	if tenant == "" {
		tenant = d.TenantID
	}
	return &Vault{
		Namespace: found.Namespace, Name: found.Name, UID: string(found.UID), Host: host, Resource: "https://" + domain,
		TenantID: tenant, Authority: d.LoginURL + "/" + tenant,
		RetentionDays: int(found.Spec.SoftDeleteRetentionInDays), Protected: found.Spec.EnablePurgeProtection,
	}
}

// Assignments returns the role assignments of a vault.
func (d *Directory) Assignments(ctx context.Context, vault *Vault) ([]role.Assignment, error) {
	return assigned.At(ctx, d.Reader, vault.Namespace, func(scope v1alpha1.AssignmentScope) bool { return scope.KeyVault == vault.Name })
}
