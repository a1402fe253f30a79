package issuer

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Asserter returns assertions of identities for an audience.
type Asserter interface {
	Assertion(ctx context.Context, request signerapi.AssertionRequest, audience string) (*signerapi.AssertionResponse, error)
}

// answerAssertion answers with an assertion of an identity, for SDKs that exchange it at Entra ID themselves.
func (s *Server) answerAssertion(x *exchange) (answer, error) {
	var asked issuerapi.AssertionRequest
	if err := x.read("an assertion request", &asked); err != nil {
		return answer{}, err
	}
	identity, refusal := x.issued.selected(x.grant, grant.Selector{ClientID: asked.ClientID})
	if refusal != nil {
		return answer{}, s.refuse(x, refusal)
	}
	audience := entra.AudienceFor(identity, s.Metadata.Environment)
	x.issued.resource = audience
	if !entra.AssertsIdentity(identity) {
		return answer{}, failure.BadRequest("the federation issuer makes no assertions of this identity")
	}
	signed, err := s.Asserter.Assertion(x.request.Context(), signerapi.AssertionRequest{
		Pod: signerapi.Pod{UID: x.workload.Pod.UID, Token: bearerOf(x.request)}, Identity: identity.Name,
	}, audience)
	if err != nil {
		return answer{}, err
	}
	x.issued.minted.Expiry = time.Unix(signed.ExpiresOn, 0)
	return answer{body: issuerapi.AssertionResponse{Assertion: signed.Assertion, ExpiresOn: signed.ExpiresOn}}, nil
}
