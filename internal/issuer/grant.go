package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// answerGrant answers with the pod's grant. If the sidecar has it already, the answer waits for a change, for GrantWaitSeconds
// at the most.
func (s *Server) answerGrant(x *exchange) (answer, error) {
	// A waiting request does not count for the pod's limits.
	x.done()
	ctx, cancel := context.WithTimeout(x.request.Context(), issuerapi.GrantWaitSeconds*time.Second)
	defer cancel()
	released := nothing
	defer func() { released() }()
	for waiting := false; ; waiting = true {
		described, err := describe(x.grant, s.Revocations())
		if err != nil {
			return answer{}, err
		}
		etag := `"` + described.Revision + `"`
		if etag != x.request.Header.Get("If-None-Match") {
			return answer{body: described, etag: etag}, nil
		}
		if !waiting {
			if released, err = s.Limits.Hold(x.workload.Pod.UID); err != nil {
				return answer{}, err
			}
		}
		select {
		case <-x.changed:
		case <-ctx.Done():
			return answer{etag: etag, unchanged: true}, nil
		case <-s.Stopping:
			return answer{etag: etag, unchanged: true}, nil
		}
		if err := s.lookUp(x); err != nil {
			return answer{}, err
		}
	}
}

// describe returns a grant as sidecars see it. Its revision covers everything that a token depends on.
func describe(decided grant.Grant, revocations int64) (issuerapi.Grant, error) {
	answer := issuerapi.Grant{Identities: []issuerapi.GrantIdentity{}}
	hash := sha256.New()
	fmt.Fprintln(hash, revocations)
	encoder := json.NewEncoder(hash)
	for _, identity := range decided.Identities {
		described := issuerapi.GrantIdentity{
			ClientID: string(identity.Status.ClientID), ObjectID: string(identity.Status.PrincipalID),
			ResourceID: identity.Status.ResourceID, Default: identity == decided.Default,
		}
		answer.Identities = append(answer.Identities, described)
		for _, part := range []any{
			described, identity.Status.TenantID, identity.Spec.Type, identity.Spec.TokenSource,
			identity.Spec.AllowedResources, identity.Spec.TokenLifetime,
		} {
			if err := encoder.Encode(part); err != nil {
				return answer, fmt.Errorf("describe the grant: %w", err)
			}
		}
	}
	for _, refusal := range decided.Refusals {
		fmt.Fprintln(hash, refusal.Identity, refusal.Reason)
	}
	answer.Revision = hex.EncodeToString(hash.Sum(nil)[:16])
	return answer, nil
}
