package mint

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// AssertionClient asks the signer for assertions.
type AssertionClient interface {
	Assertion(ctx context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error)
}

// assertion returns what proves to Entra that the pod may have the token: its own ServiceAccount token, or the signer's word.
func (e *Entra) assertion(ctx context.Context, request Request) (string, error) {
	if entra.AssertsServiceAccount(request.Identity) {
		return e.own(request.Pod, entra.AudienceFor(request.Identity, e.Cloud))
	}
	signed, err := e.Assertions.Assertion(ctx, signerapi.AssertionRequest{
		Pod: signerapi.Pod{UID: request.Pod.UID, Token: request.Pod.Token}, Identity: request.Identity.Name,
	})
	if err != nil {
		return "", err
	}
	return signed.Assertion, nil
}

// own returns the pod's ServiceAccount token for an audience. It must be bound to that very pod, so that a token taken from another
// one proves nothing here.
func (e *Entra) own(pod Pod, audience string) (string, error) {
	expired := false
	for _, assertion := range pod.Assertions[:min(len(pod.Assertions), issuerapi.MaxAssertions)] {
		found, err := e.Own(audience, assertion)
		if err == nil && found.Pod.UID == pod.UID {
			return assertion, nil
		}
		expired = expired || errors.Is(err, jwt.ErrTokenExpired)
	}
	if expired {
		return "", failure.NotNow("the pod's last ServiceAccount token for Entra ID has expired: its next request brings a new one")
	}
	return "", failure.BadRequest(fmt.Sprintf("the pod has no ServiceAccount token of its own for the audience %s, which the identity needs: "+
		"a pod that was created before the identity had entra.assertion ServiceAccount must be recreated", audience))
}

// subjectOf returns the ServiceAccount that Entra decides by, or "" if it decides by the identity.
func subjectOf(request Request) string {
	if entra.AssertsServiceAccount(request.Identity) {
		return request.Pod.Subject
	}
	return ""
}
