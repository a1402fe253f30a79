package keyvault

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/vaulthost"
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

// Index is the name of the index of KeyVaults by name.
const Index = "metadata.name"

// IndexName returns the value of Index.
func IndexName(object client.Object) []string { return []string{object.GetName()} }

// Find returns the vault of a host name, or nil. Of several with the same name it is the one that is ready.
func (d *Directory) Find(ctx context.Context, host string) (*Vault, error) {
	name, domain, _ := strings.Cut(host, ".")
	if domain != d.Domain && domain != d.Domain+".cluster.local" {
		return d.findPublic(ctx, host, domain)
	}
	var found v1alpha1.KeyVaultList
	if err := d.Reader.List(ctx, &found, client.MatchingFields{Index: name}); err != nil {
		return nil, fmt.Errorf("find the KeyVault %s: %w", name, err)
	}
	for i := range found.Items {
		if found.Items[i].Status.URI != "" {
			return d.vault(&found.Items[i], host, domain), nil
		}
	}
	return nil, nil
}

// findPublic returns the vault that has a host name of Azure, or nil.
func (d *Directory) findPublic(ctx context.Context, host, domain string) (*Vault, error) {
	found, err := vaulthost.Holder(ctx, d.Reader, host)
	if err != nil || found == nil || found.Status.URI == "" {
		return nil, err
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

// Assignments returns the role assignments of a vault. Those of identities that do not exist, or have no principal, are left out.
func (d *Directory) Assignments(ctx context.Context, vault *Vault) ([]role.Assignment, error) {
	var list v1alpha1.RoleAssignmentList
	if err := d.Reader.List(ctx, &list, client.InNamespace(vault.Namespace)); err != nil {
		return nil, fmt.Errorf("list the role assignments of namespace %s: %w", vault.Namespace, err)
	}
	var assignments []role.Assignment
	for _, one := range list.Items {
		if one.Spec.Scope.KeyVault != vault.Name || !one.DeletionTimestamp.IsZero() {
			continue
		}
		principal, err := d.principal(ctx, one.Spec.Principal)
		if err != nil {
			return nil, err
		}
		if principal != "" {
			assignments = append(assignments, role.Assignment{
				Principal: principal, Role: one.Spec.Role,
				Scope: role.Scope{Namespace: one.Namespace, KeyVault: one.Spec.Scope.KeyVault, Object: objectOf(one.Spec.Scope)},
			})
		}
	}
	return assignments, nil
}

func objectOf(scope v1alpha1.AssignmentScope) role.Object {
	switch {
	case scope.Secret != "":
		return role.Object{Kind: "secrets", Name: scope.Secret}
	case scope.Key != "":
		return role.Object{Kind: "keys", Name: scope.Key}
	case scope.Certificate != "":
		return role.Object{Kind: "certificates", Name: scope.Certificate}
	}
	return role.Object{}
}

// principal returns the object ID of a principal, or "".
func (d *Directory) principal(ctx context.Context, assigned v1alpha1.AssignedPrincipal) (string, error) {
	if assigned.Identity == "" {
		return string(assigned.ObjectID), nil
	}
	var identity v1alpha1.ManagedIdentity
	err := d.Reader.Get(ctx, client.ObjectKey{Name: assigned.Identity}, &identity)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("read ManagedIdentity %s: %w", assigned.Identity, err)
	}
	return string(identity.Status.PrincipalID), nil
}
