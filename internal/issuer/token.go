package issuer

import (
	"context"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// answerToken issues a token.
func (s *Server) answerToken(x *exchange) (answer, error) {
	var asked issuerapi.TokenRequest
	if err := x.read("a token request", &asked); err != nil {
		return answer{}, err
	}
	pod := mint.Pod{
		UID: x.workload.Pod.UID, Token: bearerOf(x.request), Subject: x.workload.Subject(), Assertions: asked.Assertions,
	}
	refuse := func(refusal *grant.Refusal) error { return s.refuse(x, refusal) }
	response, err := issue(x.request.Context(), s.Minters, pod, x.grant, asked, refuse, &x.issued)
	return answer{body: response}, err
}

// answerIdentity describes an identity without a token.
func (s *Server) answerIdentity(x *exchange) (answer, error) {
	var asked issuerapi.IdentityRequest
	if err := x.read("an identity request", &asked); err != nil {
		return answer{}, err
	}
	identity, refusal := x.grant.Select(grant.Selector(asked))
	if refusal != nil {
		return answer{}, s.refuse(x, refusal)
	}
	return answer{body: issuerapi.Identity{TenantID: string(identity.Status.TenantID)}}, nil
}

// issued is what the audit log says of a token request.
type issued struct {
	identity, clientID, resource string
	minted                       mint.Minted
}

// selected records and returns the identity of a grant that is asked for, or why there is none.
func (i *issued) selected(granted grant.Grant, selector grant.Selector) (*v1alpha1.ManagedIdentity, *grant.Refusal) {
	identity, refusal := granted.Select(selector)
	if refusal != nil {
		i.identity = refusal.Identity
		return nil, refusal
	}
	i.identity, i.clientID = identity.Name, string(identity.Status.ClientID)
	return identity, nil
}

// issue mints a token of an identity of the grant. refuse turns a refused identity into an error. It fills in record as far as
// it comes.
func issue(ctx context.Context, minters mint.Minters, pod mint.Pod, granted grant.Grant, asked issuerapi.TokenRequest,
	refuse func(*grant.Refusal) error, record *issued,
) (*issuerapi.TokenResponse, error) {
	if complaint := grant.CheckResource(asked.Resource); complaint != "" {
		return nil, failure.BadRequest(complaint)
	}
	record.resource = asked.Resource
	identity, refusal := record.selected(granted, grant.Selector{
		ClientID: asked.ClientID, ObjectID: asked.ObjectID, ResourceID: asked.ResourceID,
	})
	if refusal != nil {
		return nil, refuse(refusal)
	}
	if !grant.AllowsResource(identity, asked.Resource) {
		return nil, failure.ResourceNotAllowed(identity, asked.Resource)
	}
	minted, err := minters.Mint(ctx, mint.Request{Pod: pod, Identity: identity, Resource: asked.Resource, BypassCache: asked.BypassCache})
	if err != nil {
		return nil, err
	}
	record.minted = minted
	return &issuerapi.TokenResponse{
		AccessToken: minted.Token, ClientID: string(identity.Status.ClientID),
		NotBefore: minted.NotBefore.Unix(), ExpiresOn: minted.Expiry.Unix(), RenewsOn: secondsOf(minted.RenewAt),
	}, nil
}

// secondsOf returns a time in seconds since 1970 UTC, rounded up; 0 for none.
func secondsOf(when time.Time) int64 {
	if when.IsZero() {
		return 0
	}
	return when.Add(time.Second - 1).Unix()
}

// refuse returns the failure of a refused identity. It is temporary while the watches may lag.
func (s *Server) refuse(x *exchange, refusal *grant.Refusal) error {
	if s.mayLag(x) && (refusal.Reason == grant.ReasonNotFound || refusal.Reason == grant.ReasonNotGranted) {
		return failure.NotNow(refusal.Message)
	}
	return failure.Refused(refusal)
}

// mayLag reports whether an identity of the pod may exist although this issuer has not heard of it: the webhook saw it when
// it admitted the pod a moment ago.
func (s *Server) mayLag(x *exchange) bool {
	return directory.MayLag(x.pod, s.Now()) && slices.ContainsFunc(x.grant.Refusals, func(refusal grant.Refusal) bool {
		return refusal.Reason == grant.ReasonNotFound
	})
}
