package issuer

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// serveToken answers a TokenRequest.
func (s *Server) serveToken(writer http.ResponseWriter, request *http.Request) {
	decision := decision{source: sourceOf(request.RemoteAddr)}
	response, err := s.decide(request, &decision)
	if err != nil {
		if reply.IsGone(err) {
			return
		}
		decision.failure = reply.Fail(writer, err)
		s.record(decision)
		return
	}
	s.record(decision)
	reply.JSON(writer, http.StatusOK, response)
}

// decide answers a request, and notes in the decision what the audit log needs.
func (s *Server) decide(request *http.Request, decision *decision) (*issuerapi.TokenResponse, error) {
	caller, done, err := s.identify(request)
	defer done()
	decision.workload = caller.workload
	if err != nil {
		return nil, err
	}
	asked, err := readTokenRequest(request.Body)
	if err != nil {
		return nil, err
	}
	refuse := func(refusal *grant.Refusal) error { return s.refuse(caller, refusal) }
	pod := Pod{UID: caller.workload.Pod.UID, Token: bearerOf(request)}
	return s.Minters.issue(request.Context(), pod, caller.grant, asked, refuse, decision)
}

// mayLag tells whether the pod asks for an identity that this issuer may only not have heard of yet: the pod is young,
// and at its admission the identity was there.
func (s *Server) mayLag(caller caller) bool {
	return directory.IsYoung(caller.pod, s.Now()) && slices.ContainsFunc(caller.grant.Refusals, func(refusal grant.Refusal) bool {
		return refusal.Reason == grant.ReasonNotFound
	})
}

// refuse is what a pod is told of an identity that it may not have.
func (s *Server) refuse(caller caller, refusal *grant.Refusal) *reply.Failure {
	if s.mayLag(caller) && (refusal.Reason == grant.ReasonNotFound || refusal.Reason == grant.ReasonNotGranted) {
		return reply.Unavailable(refusal.Message)
	}
	return reply.Refused(refusal)
}

func readTokenRequest(body io.Reader) (issuerapi.TokenRequest, error) {
	var asked issuerapi.TokenRequest
	content, err := io.ReadAll(body)
	if err != nil || json.Unmarshal(content, &asked) != nil {
		return asked, reply.BadRequest("the request is not a JSON object of a token request")
	}
	return asked, nil
}

// bearerOf is the token that an authenticated request carries.
func bearerOf(request *http.Request) string {
	return strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
}
