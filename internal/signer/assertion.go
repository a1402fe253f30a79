package signer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Federation signs assertions for Entra ID.
type Federation struct {
	Issuer federation.Issuer

	// Key returns the key that signs assertions; nil while none is public.
	Key func() *token.Key
}

// answerAssertion answers an AssertionRequest.
func (s *Server) answerAssertion(request *http.Request, entry *entry) (any, error) {
	var err error
	entry.signed, err = s.assert(request, entry)
	return signerapi.AssertionResponse{Assertion: entry.signed.Token, ExpiresOn: entry.signed.Expiry.Unix()}, err
}

// assert decides about a request and signs. It fills in the audit entry.
func (s *Server) assert(request *http.Request, entry *entry) (token.Signed, error) {
	var asked signerapi.AssertionRequest
	err := s.read(request, entry, &asked)
	entry.podUID = asked.UID
	if err != nil {
		return token.Signed{}, err
	}
	identity, err := s.federated(request, entry, asked.Pod, asked.Identity)
	if err != nil {
		return token.Signed{}, err
	}
	if entra.AssertsServiceAccount(identity) {
		return token.Signed{}, failure.BadRequest("the identity's assertions are the tokens of pods' own ServiceAccounts")
	}
	if s.Federation == nil {
		return token.Signed{}, failure.BadRequest("there is no federation issuer: set federation.issuerURL in the chart's values")
	}
	key := s.Federation.Key()
	if key == nil {
		s.tellUnpublished(request.Context(), identity, entry)
		return token.Signed{}, failure.NotPublished(s.Federation.Issuer.HowToPublish())
	}
	entry.resource = entra.AudienceFor(identity, s.Machine.Environment)
	signed, err := s.Federation.Issuer.Assert(request.Context(), key, identity.Name, entry.resource, s.Now())
	if err != nil && !reply.IsGone(err) {
		return signed, failure.NotSigned(err.Error())
	}
	return signed, err
}

// federated returns an identity of Entra ID that a pod of the issuer's node is granted.
func (s *Server) federated(request *http.Request, entry *entry, pod signerapi.Pod, name string) (*v1alpha1.ManagedIdentity, error) {
	found, err := s.find(request.Context(), entry.issuer, pod)
	entry.pod = found.pod
	if err != nil {
		return nil, err
	}
	identity, err := s.granted(request.Context(), found, name)
	if err != nil {
		return nil, err
	}
	entry.identity = identity
	if identity.Spec.TokenSource != v1alpha1.TokenSourceEntra {
		return nil, failure.BadRequest("the identity's tokens are not issued by Entra ID")
	}
	return identity, nil
}
