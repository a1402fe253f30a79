package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// serveGrant answers with the pod's grant: at once, or, where the sidecar knows it, when it changes.
func (s *Server) serveGrant(writer http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithTimeout(request.Context(), issuerapi.GrantWaitSeconds*time.Second)
	defer cancel()
	caller, done, err := s.identify(request)
	done()
	released := nothing
	defer func() { released() }()
	for held := false; err == nil; held = true {
		var answer issuerapi.Grant
		if answer, err = describe(caller.grant, s.Revocations()); err != nil {
			break
		}
		etag := `"` + answer.Revision + `"`
		writer.Header().Set("ETag", etag)
		if etag != request.Header.Get("If-None-Match") {
			reply.JSON(writer, http.StatusOK, answer)
			return
		}
		if !held {
			if released, err = s.Limits.Hold(caller.workload.Pod.UID); err != nil {
				break
			}
		}
		select {
		case <-caller.changed:
		case <-ctx.Done():
			writer.WriteHeader(http.StatusNotModified)
			return
		case <-s.Stopping:
			writer.WriteHeader(http.StatusNotModified)
			return
		}
		caller, err = s.lookUp(request.Context(), caller)
	}
	if !reply.IsGone(err) {
		writer.Header().Del("ETag")
		reply.Fail(writer, err)
	}
}

// describe is a grant as sidecars see it. Its revision stands for all that a token hangs on.
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
