package issuer

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuer/tokenendpoint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// AssertionLife is the longest validity of an assertion: what the annotation of azure-workload-identity allows (tokens.md section 4).
const AssertionLife = 24 * time.Hour

// tokenEndpoints are the token endpoint of Entra ID. An application that has this issuer as its authority gets tokens of the
// pod's local identities there, by the same rules as the sidecar.
var tokenEndpoints = []endpoint{
	{"POST " + tokenendpoint.PathV2, nameEntra, true, asEntra(tokenendpoint.V2), (*Server).answerExchange},
	{"POST " + tokenendpoint.PathV1, nameEntra, true, asEntra(tokenendpoint.V1), (*Server).answerExchange},
}

// asEntra is the protocol of applications.
func asEntra(version tokenendpoint.Version) protocol {
	return protocol{
		func(s *Server, x *exchange) (workload.Workload, error) { return s.authenticateAssertion(x, version) },
		(*Server).respondAsEntra,
	}
}

// authenticateAssertion reads the form of a request, and verifies its assertion.
func (s *Server) authenticateAssertion(x *exchange, version tokenendpoint.Version) (workload.Workload, error) {
	var err error
	if x.asked, err = tokenendpoint.Read(x.request, version); err != nil {
		return workload.Workload{}, err
	}
	authenticated, err := s.Assertions.Authenticate(x.asked.Assertion)
	if err != nil {
		return workload.Workload{}, tokenendpoint.BadAssertion(err)
	}
	return authenticated, nil
}

// answerExchange issues a token for an assertion. The signer gets no token of the pod with the request: it takes the sidecar's only.
func (s *Server) answerExchange(x *exchange) (answer, error) {
	if identity, refusal := x.grant.Select(grant.Selector{ClientID: x.asked.ClientID}); refusal == nil {
		if err := checkAsked(identity, x.asked); err != nil {
			x.issued.identity, x.issued.clientID = identity.Name, string(identity.Status.ClientID)
			return answer{}, err
		}
	}
	refuse := func(refusal *grant.Refusal) error { return s.refuse(x, refusal) }
	response, err := issue(x.request.Context(), s.Minters, mint.Pod{UID: x.workload.Pod.UID}, x.grant,
		issuerapi.TokenRequest{Resource: x.asked.Resource, ClientID: x.asked.ClientID}, refuse, &x.issued)
	if err != nil {
		return answer{}, err
	}
	return answer{body: x.asked.Answer(tokenendpoint.Token{
		AccessToken: response.AccessToken, NotBefore: time.Unix(response.NotBefore, 0), Expiry: time.Unix(response.ExpiresOn, 0),
	}, s.Now())}, nil
}

// checkAsked checks that a granted identity is of the tenant in the path, and that its tokens are issued here.
func checkAsked(identity *v1alpha1.ManagedIdentity, asked *tokenendpoint.Request) error {
	switch {
	case !strings.EqualFold(asked.TenantID, string(identity.Status.TenantID)):
		return tokenendpoint.OtherTenant()
	case identity.Spec.TokenSource != v1alpha1.TokenSourceLocal:
		return tokenendpoint.OtherSource()
	}
	return nil
}

func (s *Server) respondAsEntra(writer http.ResponseWriter, x *exchange, response answer, err error) {
	call := tokenendpoint.Call{Request: x.request, TraceID: x.traceID(), Now: s.Now()}
	if err != nil {
		call.Fail(writer, err)
		return
	}
	call.Succeed(writer, response.body)
}

// traceID returns the ID by which errors name the request, so that its line in the audit log can be found.
func (x *exchange) traceID() string {
	if x.trace == "" {
		x.trace = uuid.NewString()
	}
	return x.trace
}
