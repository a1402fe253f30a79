package issuer

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// InProcess is the issuer in the process of the one pod that it serves, so it does not authenticate. The application learns
// what IMDS would tell it; the log says why.
type InProcess struct {
	// Grant is what the pod may have.
	Grant grant.Grant

	// Identities looks up refused identities, to explain.
	Identities grant.Lookup

	Minters mint.Minters

	// Log gets every decision.
	Log logr.Logger
}

var (
	_ imds.TokenSource    = (*InProcess)(nil)
	_ imds.IdentitySource = (*InProcess)(nil)
)

// Token issues a token that the grant allows.
func (p *InProcess) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	refuse := func(refusal *grant.Refusal) error { return p.refuse(request.Selector, refusal) }
	var record issued
	response, err := issue(ctx, p.Minters, mint.Pod{}, p.Grant, issuerapi.TokenRequest{
		Resource: request.Resource, ClientID: request.ClientID, ObjectID: request.ObjectID,
		ResourceID: request.ResourceID, BypassCache: request.BypassCache,
	}, refuse, &record)
	if err != nil {
		failed := failure.Of(err)
		p.Log.Info("token refused", "identity", record.identity, "resource", record.resource,
			"reason", failed.Reason, "detail", failed.Detail)
		return nil, toIMDS(failed)
	}
	p.Log.Info("token", "identity", record.identity, "clientID", record.clientID, "resource", record.resource,
		"tokenID", record.minted.ID, "expires", record.minted.Expiry.UTC().Format(time.RFC3339))
	return &imds.Token{
		AccessToken: response.AccessToken, ClientID: response.ClientID,
		NotBefore: time.Unix(response.NotBefore, 0), ExpiresOn: time.Unix(response.ExpiresOn, 0),
	}, nil
}

// Identity describes a granted identity.
func (p *InProcess) Identity(_ context.Context, selector imds.Selector) (*imds.Identity, error) {
	identity, refusal := p.Grant.Select(grant.Selector(selector))
	if refusal != nil {
		failed := p.refuse(selector, refusal)
		p.Log.Info("identity refused", "reason", failed.Reason, "detail", failed.Detail)
		return nil, toIMDS(failed)
	}
	return &imds.Identity{TenantID: string(identity.Status.TenantID)}, nil
}

// refuse returns the failure of a refused identity.
func (p *InProcess) refuse(selector imds.Selector, refusal *grant.Refusal) *failure.Failure {
	if refusal.Reason == grant.ReasonNotGranted {
		refusal = p.explain(selector, refusal)
	}
	return failure.Refused(refusal)
}

// explain returns why the selected identity was not granted, or refusal if the pod did not ask for it.
func (p *InProcess) explain(selector imds.Selector, refusal *grant.Refusal) *grant.Refusal {
	for i := range p.Grant.Refusals {
		one := &p.Grant.Refusals[i]
		identity, err := p.Identities(one.Identity)
		if err == nil && identity != nil && grant.Selector(selector).Matches(identity) {
			return one
		}
	}
	return refusal
}

func toIMDS(f *failure.Failure) *imds.Error {
	status, code := reply.Status(f)
	return &imds.Error{Status: status, Code: code, Description: f.Description, RetryAfter: f.RetryAfter}
}
