package issuer

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// serveToken answers a TokenRequest.
func (s *Server) serveToken(writer http.ResponseWriter, request *http.Request) {
	decision := decision{source: sourceOf(request.RemoteAddr)}
	response, err := s.decide(request, &decision)
	if err != nil {
		if isGone(err) {
			return
		}
		decision.failure = writeFailure(writer, err)
		s.record(decision)
		return
	}
	s.record(decision)
	writeJSON(writer, http.StatusOK, response)
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
	return s.Minters.issue(request.Context(), caller.grant, asked, refuse, decision)
}

// youth is how long after a pod's start this issuer may not have heard yet of what was made with it: as long as a watch
// waits before it tries again to reach an API server that was away.
const youth = time.Minute

// mayLag tells whether the pod asks for an identity that this issuer may only not have heard of yet: the pod is young,
// and at its admission the identity was there.
func (s *Server) mayLag(caller caller) bool {
	return s.isYoung(caller.pod) && slices.ContainsFunc(caller.grant.Refusals, func(refusal grant.Refusal) bool {
		return refusal.Reason == grant.ReasonNotFound
	})
}

func (s *Server) isYoung(pod *corev1.Pod) bool {
	return s.Now().Sub(pod.CreationTimestamp.Time) < youth
}

// refuse is what a pod is told of an identity that it may not have.
func (s *Server) refuse(caller caller, refusal *grant.Refusal) *failure {
	if s.mayLag(caller) && (refusal.Reason == grant.ReasonNotFound || refusal.Reason == grant.ReasonNotGranted) {
		return unavailable(refusal.Message)
	}
	return refused(refusal)
}

func readTokenRequest(body io.Reader) (issuerapi.TokenRequest, error) {
	var asked issuerapi.TokenRequest
	content, err := io.ReadAll(body)
	if err != nil || json.Unmarshal(content, &asked) != nil {
		return asked, badRequest("the request is not a JSON object of a token request")
	}
	return asked, nil
}
