package issuer

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// maxResource bounds the length of a resource, in bytes.
const maxResource = 512

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
	if err := checkResource(asked.Resource); err != nil {
		return nil, err
	}
	decision.resource = asked.Resource
	identity, refusal := caller.grant.Select(grant.Selector{
		ClientID: asked.ClientID, ObjectID: asked.ObjectID, ResourceID: asked.ResourceID,
	})
	if refusal != nil {
		decision.identity = refusal.Identity
		return nil, s.refuse(caller, refusal)
	}
	decision.identity, decision.clientID = identity.Name, string(identity.Status.ClientID)
	if !allowsResource(identity, asked.Resource) {
		return nil, resourceNotAllowed(identity, asked.Resource)
	}
	minted, err := s.Minters.Mint(request.Context(), MintRequest{identity, asked.Resource, asked.BypassCache})
	if err != nil {
		return nil, err
	}
	decision.minted = minted
	return &issuerapi.TokenResponse{
		AccessToken: minted.Token, ClientID: string(identity.Status.ClientID),
		NotBefore: minted.NotBefore.Unix(), ExpiresOn: minted.Expiry.Unix(),
	}, nil
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

// checkResource refuses what no resource is. The replacement character stands where there was something that is no
// character, so it is not what was asked for to the letter.
func checkResource(resource string) error {
	if resource == "" {
		return badRequest("Required audience parameter not specified")
	}
	if len(resource) > maxResource {
		return badRequest(fmt.Sprintf("the resource is longer than %d bytes", maxResource))
	}
	for _, character := range resource {
		if character == utf8.RuneError || !unicode.IsGraphic(character) || unicode.IsSpace(character) {
			return badRequest("the resource has characters that no resource has")
		}
	}
	return nil
}

func allowsResource(identity *v1alpha1.ManagedIdentity, resource string) bool {
	allowed := identity.Spec.AllowedResources
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(one string) bool {
		return token.SameResource(one, resource)
	})
}

// resourceNotAllowed answers as Entra does for a resource that it does not know (imds-contract.md section 4).
func resourceNotAllowed(identity *v1alpha1.ManagedIdentity, resource string) *failure {
	return &failure{
		status: http.StatusBadRequest, code: "invalid_resource", reason: reasonResource,
		description: fmt.Sprintf("AADSTS500011: The resource principal named %s was not found in the tenant named %s.",
			resource, identity.Status.TenantID),
		detail: fmt.Sprintf("ManagedIdentity %q does not allow the resource: add it to spec.allowedResources", identity.Name),
	}
}
