package issuer

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// Direct is the issuer in the process of the one pod that it serves: there is nobody to authenticate. What the pod is told
// is what IMDS would tell it; the log says why.
type Direct struct {
	// Grant is what the pod may have.
	Grant grant.Grant

	// Identities finds those that were asked for and refused.
	Identities grant.Identities

	// Minters make the tokens, by the identity's token source.
	Minters Minters

	// Log is told of every decision.
	Log logr.Logger
}

var (
	_ imds.TokenSource    = (*Direct)(nil)
	_ imds.IdentitySource = (*Direct)(nil)
)

// Token makes a token that the grant allows.
func (d *Direct) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	refuse := func(refusal *grant.Refusal) error { return d.refuse(request.Selector, refusal) }
	var decision decision
	response, err := d.Minters.issue(ctx, Pod{}, d.Grant, issuerapi.TokenRequest{
		Resource: request.Resource, ClientID: request.ClientID, ObjectID: request.ObjectID,
		ResourceID: request.ResourceID, BypassCache: request.BypassCache,
	}, refuse, &decision)
	if err != nil {
		told := reply.AsFailure(err)
		d.Log.Info("token refused", "identity", decision.identity, "resource", decision.resource,
			"reason", told.Reason, "detail", told.Detail)
		return nil, toIMDS(told)
	}
	d.Log.Info("token", "identity", decision.identity, "clientID", decision.clientID, "resource", decision.resource,
		"tokenID", decision.minted.ID, "expires", decision.minted.Expiry.UTC().Format(time.RFC3339))
	return &imds.Token{
		AccessToken: response.AccessToken, ClientID: response.ClientID,
		NotBefore: time.Unix(response.NotBefore, 0), ExpiresOn: time.Unix(response.ExpiresOn, 0),
	}, nil
}

// Identity describes a granted identity.
func (d *Direct) Identity(_ context.Context, selector imds.Selector) (*imds.Identity, error) {
	identity, refusal := d.Grant.Select(grant.Selector(selector))
	if refusal != nil {
		told := d.refuse(selector, refusal)
		d.Log.Info("identity refused", "reason", told.Reason, "detail", told.Detail)
		return nil, toIMDS(told)
	}
	return &imds.Identity{TenantID: string(identity.Status.TenantID)}, nil
}

// refuse is what the application is told, and why for the log.
func (d *Direct) refuse(selector imds.Selector, refusal *grant.Refusal) *reply.Failure {
	if refusal.Reason == grant.ReasonNotGranted {
		refusal = d.whyNot(selector, refusal)
	}
	return reply.Refused(refusal)
}

// whyNot finds why the identity with an ID was not granted; otherwise where nobody asked for one with that ID.
func (d *Direct) whyNot(selector imds.Selector, otherwise *grant.Refusal) *grant.Refusal {
	for i, refusal := range d.Grant.Refusals {
		identity := d.Identities(refusal.Identity)
		if identity != nil && grant.Selector(selector).Matches(identity) {
			return &d.Grant.Refusals[i]
		}
	}
	return otherwise
}

// toIMDS is the failure as IMDS answers it.
func toIMDS(f *reply.Failure) *imds.Error {
	return &imds.Error{
		Status: f.Status, Code: f.Code, Description: f.Description,
		RetryAfter: time.Duration(f.RetryAfter) * time.Second,
	}
}
