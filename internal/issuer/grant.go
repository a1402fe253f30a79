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
	x.turn.end()
	ctx, cancel := context.WithTimeout(x.request.Context(), issuerapi.GrantWaitSeconds*time.Second)
	defer cancel()
	var held turn
	defer func() { held.end() }()
	for waiting := false; ; waiting = true {
		revision, err := revisionOf(x.grant, s.Revocations())
		if err != nil {
			return answer{}, err
		}
		etag := `"` + revision + `"`
		if etag != x.request.Header.Get("If-None-Match") {
			return answer{body: issuerapi.Grant{Revision: revision}, etag: etag}, nil
		}
		if !waiting {
			if held, err = s.Limits.hold(x.workload.Pod.UID); err != nil {
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

// revisionOf returns the revision of a grant: a hash of everything that a token depends on.
func revisionOf(decided grant.Grant, revocations int64) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, revocations)
	encoder := json.NewEncoder(hash)
	for _, identity := range decided.Identities {
		status := identity.Status
		for _, part := range []any{
			status.ClientID, status.PrincipalID, status.ResourceID, status.TenantID, identity == decided.Default,
			identity.Spec.Type, identity.Spec.TokenSource, identity.Spec.Entra, identity.Spec.AllowedResources, identity.Spec.TokenLifetime,
		} {
			if err := encoder.Encode(part); err != nil {
				return "", fmt.Errorf("hash the grant: %w", err)
			}
		}
	}
	for _, refusal := range decided.Refusals {
		fmt.Fprintln(hash, refusal.Identity, refusal.Reason)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16]), nil
}
