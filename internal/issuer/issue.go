package issuer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// maxResource bounds the length of a resource, in bytes.
const maxResource = 512

// issue makes the token that is asked for of a grant, or says by refuse why there is none. It notes in the decision what
// the audit log needs.
func (m Minters) issue(ctx context.Context, granted grant.Grant, asked issuerapi.TokenRequest,
	refuse func(*grant.Refusal) error, decision *decision,
) (*issuerapi.TokenResponse, error) {
	if err := checkResource(asked.Resource); err != nil {
		return nil, err
	}
	decision.resource = asked.Resource
	identity, refusal := granted.Select(grant.Selector{
		ClientID: asked.ClientID, ObjectID: asked.ObjectID, ResourceID: asked.ResourceID,
	})
	if refusal != nil {
		decision.identity = refusal.Identity
		return nil, refuse(refusal)
	}
	decision.identity, decision.clientID = identity.Name, string(identity.Status.ClientID)
	if !allowsResource(identity, asked.Resource) {
		return nil, resourceNotAllowed(identity, asked.Resource)
	}
	minted, err := m.Mint(ctx, MintRequest{identity, asked.Resource, asked.BypassCache})
	if err != nil {
		return nil, err
	}
	decision.minted = minted
	return &issuerapi.TokenResponse{
		AccessToken: minted.Token, ClientID: string(identity.Status.ClientID),
		NotBefore: minted.NotBefore.Unix(), ExpiresOn: minted.Expiry.Unix(),
	}, nil
}

// checkResource refuses what no resource is. The replacement character stands where there was something that is no
// character, so it is not what was asked for to the letter.
func checkResource(resource string) error {
	if resource == "" {
		return badRequest("Required audience parameter not specified")
	}
	if len(resource) > maxResource {
		return badRequest(fmt.Sprintf("the resource is longer than %d bytes", maxResource))
	}
	for _, character := range resource {
		if character == utf8.RuneError || !unicode.IsGraphic(character) || unicode.IsSpace(character) {
			return badRequest("the resource has characters that no resource has")
		}
	}
	return nil
}

func allowsResource(identity *v1alpha1.ManagedIdentity, resource string) bool {
	allowed := identity.Spec.AllowedResources
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(one string) bool {
		return token.SameResource(one, resource)
	})
}

// resourceNotAllowed answers as Entra does for a resource that it does not know (imds-contract.md section 4).
func resourceNotAllowed(identity *v1alpha1.ManagedIdentity, resource string) *failure {
	return &failure{
		status: http.StatusBadRequest, code: "invalid_resource", reason: reasonResource,
		description: fmt.Sprintf("AADSTS500011: The resource principal named %s was not found in the tenant named %s.",
			resource, identity.Status.TenantID),
		detail: fmt.Sprintf("ManagedIdentity %q does not allow the resource: add it to spec.allowedResources", identity.Name),
	}
}
