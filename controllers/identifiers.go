// Package controllers reconciles the kinds of kube-imds: one reconciler a file. They run in the leading controller.
package controllers

import (
	"cmp"
	"strings"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Defaults are what identities have where they do not say otherwise.
type Defaults struct {
	TenantID       v1alpha1.GUID
	SubscriptionID string
	ResourceGroup  string
}

// identifiers are an identity's IDs.
type identifiers struct {
	tenantID    v1alpha1.GUID
	clientID    v1alpha1.GUID
	principalID v1alpha1.GUID
	resourceID  string
}

// resolve finds an identity's IDs: what its spec says, else what was generated before, else what is generated now. The
// same name in the same tenant gives the same IDs (docs/design/parts.md, "Identifiers").
func resolve(identity *v1alpha1.ManagedIdentity, defaults Defaults) identifiers {
	spec, status := identity.Spec, identity.Status
	tenant := cmp.Or(spec.TenantID, status.TenantID, defaults.TenantID)
	return identifiers{
		tenantID:    tenant,
		clientID:    cmp.Or(spec.ClientID, status.ClientID, generate(tenant, "client/"+identity.Name)),
		principalID: cmp.Or(spec.PrincipalID, status.PrincipalID, generate(tenant, "principal/"+identity.Name)),
		resourceID:  cmp.Or(spec.ResourceID, status.ResourceID, defaults.resourceID(identity.Name)),
	}
}

// generate makes a GUID of a name in a tenant.
func generate(tenant v1alpha1.GUID, name string) v1alpha1.GUID {
	// The API server refuses a tenant that is no GUID.
	space, _ := uuid.Parse(string(tenant))
	return v1alpha1.GUID(uuid.NewSHA1(space, []byte(name)).String())
}

// resourceID has resourcegroups in lower case, as tokens have it (tokens.md section 1).
func (d Defaults) resourceID(name string) string {
	return "/subscriptions/" + d.SubscriptionID + "/resourcegroups/" + d.ResourceGroup +
		"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + name
}

// conflicts tells whether two sets of IDs have one in common that must be an identity's own.
func (i identifiers) conflicts(other identifiers) bool {
	return i.clientID == other.clientID || i.principalID == other.principalID ||
		strings.EqualFold(i.resourceID, other.resourceID)
}
