package issuer

import (
	"context"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// issue makes the token that a pod asks for of its grant, or says by refuse why there is none. It notes in the decision
// what the audit log needs.
func (m Minters) issue(ctx context.Context, pod Pod, granted grant.Grant, asked issuerapi.TokenRequest,
	refuse func(*grant.Refusal) error, decision *decision,
) (*issuerapi.TokenResponse, error) {
	if complaint := grant.CheckResource(asked.Resource); complaint != "" {
		return nil, reply.BadRequest(complaint)
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
	if !grant.AllowsResource(identity, asked.Resource) {
		return nil, reply.ResourceNotAllowed(identity, asked.Resource)
	}
	minted, err := m.Mint(ctx, MintRequest{pod, identity, asked.Resource, asked.BypassCache})
	if err != nil {
		return nil, err
	}
	decision.minted = minted
	return &issuerapi.TokenResponse{
		AccessToken: minted.Token, ClientID: string(identity.Status.ClientID),
		NotBefore: minted.NotBefore.Unix(), ExpiresOn: minted.Expiry.Unix(),
	}, nil
}
