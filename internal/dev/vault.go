package dev

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/keyset"
	"github.com/kube-imds/kube-imds/internal/keyvault"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/assigned"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/token"
)

// KeyVault says how vaults are served.
type KeyVault struct {
	// Enabled reports whether they are.
	Enabled bool

	// Listen is a loopback address and port.
	Listen string

	// Data is a folder that keeps their objects; "" is memory.
	Data string
}

const (
	// vaultDomain is what the hosts of vaults end in. Names below localhost are loopback addresses (RFC 6761, section 6.3).
	vaultDomain = "vault.localhost"

	// maxVaultBytes bounds what the vaults keep.
	maxVaultBytes = 64 << 20
)

// vaults serves the KeyVaults of the files.
type vaults struct {
	server *keyvault.Server

	// domain is vaultDomain with the port: SDKs for Go compare it with the host and port of the request, and others without ports.
	domain string

	tenant v1alpha1.GUID

	// loginURL is what the URLs of tenants begin with.
	loginURL string
}

// newVaults returns the vaults of a virtual machine, at the port of an address.
func newVaults(ctx context.Context, vm *virtualMachine, address net.Addr, records store.Records) (*vaults, error) {
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, fmt.Errorf("read the address of the vaults: %w", err)
	}
	keys, err := vm.key.set(ctx, vm.issuers.BaseURL, vm.ids.TenantID)
	if err != nil {
		return nil, err
	}
	server := &keyvault.Server{
		Find: func(_ context.Context, host string) (*keyvault.Vault, error) {
			return vm.current.Load().vault(host), nil
		},
		Assignments: func(context.Context, *keyvault.Vault) ([]role.Assignment, error) {
			return vm.current.Load().assignments, nil
		},
		Bearer:  &bearer.Validator{BaseURL: vm.issuers.BaseURL, Keys: keys, Now: time.Now},
		Records: records, Location: vm.metadata.Location, Now: time.Now, Log: logr.FromSlogHandler(vm.log.Handler()),
	}
	return &vaults{server, net.JoinHostPort(vaultDomain, port), vm.ids.TenantID, vm.issuers.BaseURL}, nil
}

// openRecords opens where the vaults' objects are. close lets others open it.
func (k KeyVault) openRecords() (records store.Records, close func() error, err error) {
	if k.Data == "" {
		return &store.Memory{MaxBytes: maxVaultBytes}, func() error { return nil }, nil
	}
	folder, err := store.OpenFolder(filepath.Join(k.Data, "objects"), maxVaultBytes)
	if err != nil {
		return nil, nil, err
	}
	return folder, folder.Close, nil
}

// load returns the vaults of the files by name, with the secrets that they have at first.
func (v *vaults) load(ctx context.Context, objects *manifest.Manifest) (map[string]*keyvault.Vault, error) {
	byName := map[string]*keyvault.Vault{}
	for _, one := range objects.Vaults {
		byName[one.Name] = v.vault(one)
	}
	for _, secret := range objects.Secrets {
		if err := v.server.Seed(ctx, byName[secret.Vault], secret.Name, secret.Value); err != nil {
			return nil, fmt.Errorf("KeyVault %q: %w", secret.Vault, err)
		}
	}
	return byName, nil
}

// vault returns the vault of an object. Without a UID it is the one of its namespace and name at every start.
func (v *vaults) vault(object *v1alpha1.KeyVault) *keyvault.Vault {
	tenant := string(cmp.Or(object.Spec.TenantID, v.tenant))
	uid := uuid.NewSHA1(uuid.NameSpaceURL, []byte("kube-imds.io/"+object.Namespace+"/"+object.Name)).String()
	return &keyvault.Vault{
		Namespace: object.Namespace, Name: object.Name, UID: uid, Host: object.Name + "." + v.domain, Resource: "https://" + v.domain,
		TenantID: tenant, Authority: v.loginURL + "/" + tenant,
		RetentionDays: int(object.Spec.SoftDeleteRetentionInDays), Protected: object.Spec.EnablePurgeProtection,
	}
}

// vault returns the vault of a host name, or nil.
func (s *state) vault(host string) *keyvault.Vault {
	name, domain, _ := strings.Cut(host, ".")
	if domain != vaultDomain {
		return nil
	}
	return s.vaults[name]
}

// assignmentsOf returns the role assignments of the files, and those among the objects whose identities are not in the files.
func assignmentsOf(objects *manifest.Manifest, identities grant.Lookup) (assignments []role.Assignment, without []*v1alpha1.RoleAssignment, err error) {
	for _, object := range objects.Assignments {
		assignment, err := assigned.Of(object, identities)
		if err != nil {
			return nil, nil, err
		}
		if assignment.Principal == "" {
			without = append(without, object)
			continue
		}
		assignments = append(assignments, assignment)
	}
	return assignments, without, nil
}

// set returns the key as the validators of its tokens have it.
func (k *signingKey) set(ctx context.Context, baseURL string, tenant v1alpha1.GUID) (*keyset.Keys, error) {
	discovery, err := token.Discovery(baseURL, string(tenant))
	if err != nil {
		return nil, err
	}
	keys := keyset.New(keyset.Documents{
		Source: documents{"discovery": discovery, "jwks": k.jwks}, Discovery: "discovery", JWKS: "jwks",
	}, logr.Discard(), func(error) {})
	return keys, keys.Refresh(ctx)
}

// documents are an issuer's documents by path. They are those of this process, so nothing is asked of a server.
type documents map[string][]byte

// Read implements keyset.Source.
func (d documents) Read(_ context.Context, path string) ([]byte, error) { return d[path], nil }
