package signer

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// answerToken answers a TokenRequest.
func (s *Server) answerToken(request *http.Request, entry *entry) (any, error) {
	var err error
	entry.signed, err = s.sign(request, entry)
	return signerapi.TokenResponse{
		Token: entry.signed.Token, TokenID: entry.signed.ID, KeyID: entry.signed.KeyID,
		NotBefore: entry.signed.NotBefore.Unix(), ExpiresOn: entry.signed.Expiry.Unix(),
	}, err
}

// sign decides about a request and signs. It fills in the audit entry.
func (s *Server) sign(request *http.Request, entry *entry) (token.Signed, error) {
	var asked signerapi.TokenRequest
	err := s.read(request, entry, &asked)
	entry.podUID = asked.UID
	if err != nil {
		return token.Signed{}, err
	}
	if complaint := grant.CheckResource(asked.Resource); complaint != "" {
		return token.Signed{}, failure.BadRequest(complaint)
	}
	entry.resource = asked.Resource
	found, err := s.find(request.Context(), entry.issuer, asked.Pod)
	entry.pod = found.pod
	if err != nil {
		return token.Signed{}, err
	}
	identity, err := s.granted(request.Context(), found, asked.Identity)
	if err != nil {
		return token.Signed{}, err
	}
	entry.identity = identity
	if source := identity.Spec.TokenSource; source != v1alpha1.TokenSourceLocal {
		return token.Signed{}, failure.BadRequest("tokens of the identity are not signed here, but by " + string(source))
	}
	if !grant.AllowsResource(identity, asked.Resource) {
		return token.Signed{}, failure.ResourceNotAllowed(identity, asked.Resource)
	}
	key := s.Key()
	if key == nil {
		return token.Signed{}, failure.NotNow("there is no published key to sign with")
	}
	claims, err := s.describe(request.Context(), found, identity, asked.Resource)
	if err != nil {
		return token.Signed{}, err
	}
	start := time.Now()
	signed, err := token.New(request.Context(), key, s.TokenIssuers, claims, s.Now())
	signSeconds.WithLabelValues(placeOf(key)).Observe(time.Since(start).Seconds())
	if err != nil && !reply.IsGone(err) {
		return signed, failure.NotSigned(err.Error())
	}
	return signed, err
}

// placeOf returns where a key is, for metrics.
func placeOf(key *token.Key) string {
	if key.Remote {
		return "kms"
	}
	return "local"
}

// granted returns an identity if the pod is granted it.
func (s *Server) granted(ctx context.Context, found subject, name string) (*v1alpha1.ManagedIdentity, error) {
	decided, err := s.Directory.Grant(ctx, found.pod, found.accountUID, s.Now())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(decided.Identities, func(one *v1alpha1.ManagedIdentity) bool { return one.Name == name })
	if i >= 0 {
		return decided.Identities[i], nil
	}
	refusal := &grant.Refusal{Identity: name, Reason: grant.ReasonNotGranted, Message: "the pod has not asked for the identity"}
	for _, one := range decided.Refusals {
		if one.Identity == name {
			refusal = &one
		}
	}
	if directory.MayLag(found.pod, s.Now()) && (refusal.Reason == grant.ReasonNotFound || refusal.Reason == grant.ReasonNotGranted) {
		return nil, failure.NotNow(refusal.Message)
	}
	return nil, failure.Refused(refusal)
}

// describe returns the request for the token's claims.
func (s *Server) describe(ctx context.Context, found subject, identity *v1alpha1.ManagedIdentity, resource string) (token.Request, error) {
	request := token.Request{
		Identity: identity, Resource: resource,
		Machine: machine.PlaceOf(found.node, s.Machine).ResourceID(found.pod.Name),
	}
	if !s.NameWorkloads {
		return request, nil
	}
	account, err := s.Directory.Account(ctx, found.pod)
	if err != nil {
		return request, err
	}
	request.Workload = &token.Workload{
		Namespace:      found.pod.Namespace,
		Node:           token.Reference{Name: found.node.Name, UID: string(found.node.UID)},
		Pod:            token.Reference{Name: found.pod.Name, UID: string(found.pod.UID)},
		ServiceAccount: token.Reference{Name: account.Name, UID: string(account.UID)},
	}
	return request, nil
}
