// Package identifier generates the IDs of managed identities. The same name in the same tenant has the same IDs in every
// cluster, and without one (docs/design/parts.md, "Identifiers").
package identifier

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Set holds an identity's IDs.
type Set struct {
	TenantID v1alpha1.GUID
	ClientID v1alpha1.GUID

	// PrincipalID is "" for an identity of Entra ID that does not name the one that it has there.
	PrincipalID v1alpha1.GUID

	// ResourceID is "" for a system-assigned identity that names no machine: it stands for each machine that has it, and
	// has that machine's ID.
	ResourceID string
}

// Defaults are used where an identity does not say otherwise.
type Defaults struct {
	TenantID       v1alpha1.GUID
	SubscriptionID string
	ResourceGroup  string
}

// Resolve returns an identity's IDs: from its spec, or else those generated before, or else new ones.
func Resolve(identity *v1alpha1.ManagedIdentity, defaults Defaults) Set {
	spec, status := identity.Spec, identity.Status
	tenant := cmp.Or(spec.TenantID, status.TenantID, defaults.TenantID)
	ids := Set{
		TenantID:    tenant,
		ClientID:    cmp.Or(spec.ClientID, status.ClientID, generate(tenant, "client/"+identity.Name)),
		PrincipalID: spec.PrincipalID,
		ResourceID:  spec.ResourceID,
	}
	if spec.TokenSource != v1alpha1.TokenSourceEntra {
		ids.PrincipalID = cmp.Or(spec.PrincipalID, status.PrincipalID, generate(tenant, "principal/"+identity.Name))
	}
	if spec.Type != v1alpha1.SystemAssigned {
		ids.ResourceID = cmp.Or(spec.ResourceID, status.ResourceID, defaults.resourceID(identity.Name))
	}
	return ids
}

// WriteTo writes the IDs into a status.
func (s Set) WriteTo(status *v1alpha1.ManagedIdentityStatus) {
	status.TenantID, status.ClientID = s.TenantID, s.ClientID
	status.PrincipalID, status.ResourceID = s.PrincipalID, s.ResourceID
}

// Keys returns the IDs that no two identities may share, each with its kind.
func (s Set) Keys() []string {
	keys := []string{"client/" + string(s.ClientID)}
	if s.PrincipalID != "" {
		keys = append(keys, "principal/"+string(s.PrincipalID))
	}
	if s.ResourceID != "" {
		keys = append(keys, "resource/"+strings.ToLower(s.ResourceID))
	}
	return keys
}

// Conflicts reports whether two sets share an ID that must be unique.
func (s Set) Conflicts(other Set) bool {
	keys := other.Keys()
	return slices.ContainsFunc(s.Keys(), func(key string) bool { return slices.Contains(keys, key) })
}

// generate derives a GUID from a name and a tenant.
func generate(tenant v1alpha1.GUID, name string) v1alpha1.GUID {
	// The API server rejects a tenant that is not a GUID.
	space, _ := uuid.Parse(string(tenant))
	return v1alpha1.GUID(uuid.NewSHA1(space, []byte(name)).String())
}

// resourceID writes resourcegroups in lower case, as tokens do (tokens.md section 1).
func (d Defaults) resourceID(name string) string {
	return "/subscriptions/" + d.SubscriptionID + "/resourcegroups/" + d.ResourceGroup +
		"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + name
}
