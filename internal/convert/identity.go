package convert

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// identity is a ManagedIdentity in the making. All sources with its client ID share it, because client IDs are unique.
type identity struct {
	// source is the first object that it is made of, which names it.
	source object

	name     string
	spec     v1alpha1.ManagedIdentitySpec
	accounts []account
}

// claim is what an object says of an identity.
type claim struct{ clientID, tenantID, resourceID string }

// resourceIDs matches what the definition of ManagedIdentity allows.
var resourceIDs = regexp.MustCompile(`^/subscriptions/[^/ ]+/.+/providers/[^/ ]+/[^/ ]+/[^ ]+$`)

const maxResourceID = 512

// identityOf returns the identity that an object describes, or leaves the object and returns nil.
func (c *conversion) identityOf(source object, says claim) *identity {
	spec, problem := c.specOf(says)
	if problem == nil {
		problem = c.conflict(spec)
	}
	if problem != nil {
		c.leave(source.String(), problem.Reason, problem.Remedy)
		return nil
	}
	found := c.byClient[spec.ClientID]
	if found == nil {
		found = &identity{source: source, spec: spec}
		c.identities = append(c.identities, found)
		c.byClient[spec.ClientID] = found
	}
	if spec.ResourceID != "" {
		found.spec.ResourceID = spec.ResourceID
		c.byResource[strings.ToLower(spec.ResourceID)] = found
	}
	return found
}

// specOf returns the spec of an identity that admits nobody yet, or why there is none.
func (c *conversion) specOf(says claim) (v1alpha1.ManagedIdentitySpec, *Remark) {
	spec := v1alpha1.ManagedIdentitySpec{TokenSource: v1alpha1.TokenSourceEntra, TenantID: c.options.Tenant, ResourceID: says.resourceID}
	var err error
	if spec.ClientID, err = identifier.ParseGUID(says.clientID); err != nil {
		return spec, &Remark{Reason: "client ID " + err.Error(), Remedy: "write the clientId that az identity show prints"}
	}
	if says.tenantID != "" {
		if spec.TenantID, err = identifier.ParseGUID(says.tenantID); err != nil {
			return spec, &Remark{Reason: "tenant ID " + err.Error(), Remedy: "write the tenantId that az identity show prints"}
		}
	}
	if spec.TenantID == "" {
		return spec, &Remark{Reason: "it names no tenant", Remedy: "name that with --tenant"}
	}
	if says.resourceID != "" && (len(says.resourceID) > maxResourceID || !resourceIDs.MatchString(says.resourceID)) {
		return spec, &Remark{Reason: fmt.Sprintf("resource ID %.80q is not that of an Azure resource", says.resourceID), Remedy: "write the id that az identity show prints"}
	}
	return spec, nil
}

// conflict says why there cannot be an identity beside those that there are.
func (c *conversion) conflict(spec v1alpha1.ManagedIdentitySpec) *Remark {
	same, rival := c.byClient[spec.ClientID], c.byResource[strings.ToLower(spec.ResourceID)]
	complain := func(what string, other *identity, differs string) *Remark {
		return &Remark{Reason: fmt.Sprintf("it has the %s of %s and another %s", what, &other.source, differs), Remedy: "correct one of the two"}
	}
	switch {
	case rival != nil && rival != same:
		return complain("resource ID", rival, "client ID")
	case same == nil:
		return nil
	case same.spec.TenantID != spec.TenantID:
		return complain("client ID", same, "tenant")
	case spec.ResourceID != "" && same.spec.ResourceID != "" && rival == nil:
		return complain("client ID", same, "resource ID")
	}
	return nil
}
