package issuer

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuer/tokenendpoint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Server answers the sidecars of one node.
type Server struct {
	// NodeName is the server's own node. Pods of other nodes are refused.
	NodeName string

	// Authenticator verifies the tokens of pods.
	Authenticator *workload.Authenticator

	// Asserter has assertions of identities signed.
	Asserter Asserter

	// Assertions verifies the assertions that applications send to the token endpoint. Without it there is no such endpoint.
	Assertions *workload.Authenticator

	// Directory holds the node's pods and what their grants depend on.
	Directory *directory.Directory

	// Minters mint the tokens.
	Minters mint.Minters

	// Attestations signs attested documents.
	Attestations Attester

	// Revocations counts the revocations of signing keys: sidecars drop their tokens when it changes.
	Revocations func() int64

	// Metadata holds the defaults of instance metadata.
	Metadata machine.Defaults

	// AnyAddress accepts requests of a pod from any address, for networks that hide the pods' own.
	AnyAddress bool

	// Limits limits the requests of each pod.
	Limits *Limits

	// Log is the audit log. lines bounds what each pod writes there.
	Log   logr.Logger
	lines lineLimit

	Now func() time.Time

	// Stopping is closed when the server shuts down, which ends long requests.
	Stopping <-chan struct{}
}

// endpoint is a path of the API and what answers it.
type endpoint struct {
	pattern string

	// name is the message of the endpoint's lines in the audit log and its label in metrics.
	name string

	// audited endpoints give out what a pod can act with: each answer leaves a line in the audit log.
	audited bool

	protocol protocol

	answer func(*Server, *exchange) (answer, error)
}

// issues reports whether the endpoint issues tokens or assertions.
func (e endpoint) issues() bool {
	return e.name == nameToken || e.name == nameEntra || e.name == nameAssertion
}

// The names of endpoints.
const (
	nameToken        = "token"
	nameAttestation  = "attestation"
	nameAssertion    = "assertion"
	nameGrant        = "grant"
	nameIdentity     = "identity"
	nameInstance     = "instance"
	nameLoadBalancer = "loadbalancer"
	nameEvents       = "scheduledevents"
	nameEntra        = "tokenendpoint"
)

var endpoints = []endpoint{
	{"POST " + issuerapi.TokenPath, nameToken, true, sidecars, (*Server).answerToken},
	{"POST " + issuerapi.AttestationPath, nameAttestation, true, sidecars, (*Server).answerAttestation},
	{"POST " + issuerapi.AssertionPath, nameAssertion, true, sidecars, (*Server).answerAssertion},
	{"GET " + issuerapi.GrantPath, nameGrant, false, sidecars, (*Server).answerGrant},
	{"POST " + issuerapi.IdentityPath, nameIdentity, false, sidecars, (*Server).answerIdentity},
	{"GET " + issuerapi.InstancePath, nameInstance, false, sidecars, (*Server).answerInstance},
	{"GET " + issuerapi.LoadBalancerPath, nameLoadBalancer, false, sidecars, (*Server).answerLoadBalancer},
	{"GET " + issuerapi.EventsPath, nameEvents, false, sidecars, (*Server).answerEvents},
}

// Handler returns the API's handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	served := endpoints
	if s.Assertions != nil {
		served = slices.Concat(endpoints, tokenEndpoints)
		tokenendpoint.HandleOthers(mux, s.Now)
	}
	for _, e := range served {
		mux.HandleFunc(e.pattern, func(writer http.ResponseWriter, request *http.Request) { s.serve(e, writer, request) })
	}
	// Unlike http.MaxBytesHandler without a copy of each request.
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		request.Body = http.MaxBytesReader(writer, request.Body, issuerapi.MaxRequestBytes)
		mux.ServeHTTP(writer, request)
	})
}

// exchange is one request and what is known of it.
type exchange struct {
	request  *http.Request
	protocol protocol

	// asked is the request to the token endpoint once it has been read, and trace its traceID.
	asked *tokenendpoint.Request
	trace string

	// source is the address of the client.
	source   string
	workload workload.Workload

	// changed is closed when pod and grant may have changed.
	pod     *corev1.Pod
	grant   grant.Grant
	changed <-chan struct{}

	// turn is the request for the pod's limits.
	turn turn

	// issued is the outcome of a token request, and failure why the request failed.
	issued  issued
	failure *failure.Failure
}

// answer is a successful response.
type answer struct {
	body any

	// etag identifies the body, if set. unchanged means that the client has that body.
	etag      string
	unchanged bool
}

// serve takes a request the same way at every endpoint: authenticate, decide, answer, count, audit, respond.
func (s *Server) serve(e endpoint, writer http.ResponseWriter, request *http.Request) {
	x := &exchange{request: request, protocol: e.protocol, source: sourceOf(request.RemoteAddr)}
	err := s.identify(x)
	defer x.turn.end()
	var response answer
	if err == nil {
		response, err = e.answer(s, x)
	}
	if err != nil {
		if isGone(request.Context()) {
			return
		}
		x.failure = failure.Of(err)
	}
	s.count(e, x)
	if e.audited {
		s.audit(e, x)
	}
	x.protocol.respond(s, writer, x, response, err)
}

// isGone reports whether the client is gone. It gets no answer, and failures mean nothing.
func isGone(ctx context.Context) bool { return ctx.Err() != nil }

// read parses the JSON body of a request. name is what it should be, as in "a token request".
func (x *exchange) read(name string, into any) error {
	content, err := io.ReadAll(x.request.Body)
	if err != nil || json.Unmarshal(content, into) != nil {
		return failure.BadRequest("the body is not the JSON object of " + name)
	}
	return nil
}
