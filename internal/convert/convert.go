// Package convert turns manifests of aad-pod-identity and azure-workload-identity into ManagedIdentities and IdentityBindings
// (tokens.md section 4 and tokens.md section 5 have their fields). Manifests.Read reads them, and Manifests.Convert says what they
// become. The order of documents makes no difference.
package convert

import (
	"maps"
	"slices"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Options are what manifests do not say.
type Options struct {
	// Tenant is the tenant of identities that name none; "" if they cannot be converted.
	Tenant v1alpha1.GUID

	// Namespaced reports whether every AzureIdentity is for pods of its own namespace only.
	Namespaced bool
}

// Result is what manifests become.
type Result struct {
	// Identities are in the order of their names, and Bindings in that of their namespaces and names.
	Identities []*v1alpha1.ManagedIdentity
	Bindings   []*v1alpha1.IdentityBinding

	// Leftovers are what was not converted, and Warnings what a person should know of what was.
	Leftovers, Warnings []Remark

	// oldLabels are the labels by which converted pods ask for their old system.
	oldLabels []string
}

// Convert converts the manifests.
func (m *Manifests) Convert(options Options) *Result {
	m.sort()
	c := &conversion{
		Manifests: m, options: options, result: &Result{},
		byClient: map[v1alpha1.GUID]*identity{}, byResource: map[string]*identity{}, byAccount: map[account]*granted{},
	}
	c.convertPodIdentity()
	c.convertWorkloadIdentity()
	c.build()
	return c.result
}

// conversion is a conversion in progress.
type conversion struct {
	*Manifests
	options Options
	result  *Result

	// identities are in the order of their sources. byResource has resource IDs in lower case.
	identities []*identity
	byClient   map[v1alpha1.GUID]*identity
	byResource map[string]*identity
	byAccount  map[account]*granted
}

// granted is what a ServiceAccount is granted.
type granted struct {
	identities []*identity

	// preferred is the default identity if there are several; nil if there is none.
	preferred *identity
}

// grant grants an identity to a ServiceAccount.
func (c *conversion) grant(to account, identity *identity) *granted {
	grants := c.byAccount[to]
	if grants == nil {
		grants = &granted{}
		c.byAccount[to] = grants
	}
	if !slices.Contains(grants.identities, identity) {
		grants.identities = append(grants.identities, identity)
		identity.accounts = append(identity.accounts, to)
	}
	return grants
}

func (c *conversion) leave(object, reason, remedy string) {
	c.result.Leftovers = append(c.result.Leftovers, Remark{object, reason, remedy})
}

func (c *conversion) warn(object, reason, remedy string) {
	c.result.Warnings = append(c.result.Warnings, Remark{object, reason, remedy})
}

// accounts returns the ServiceAccounts that are granted something, in order.
func (c *conversion) accounts() []account {
	return slices.SortedFunc(maps.Keys(c.byAccount), account.compare)
}

// Empty reports whether there was nothing to convert.
func (r *Result) Empty() bool {
	return len(r.Identities) == 0 && len(r.Leftovers) == 0
}
