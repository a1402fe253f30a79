package signer

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/signer/view"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Server answers the issuers of all nodes.
type Server struct {
	// Issuers authenticates issuers, and Pods the pods whose tokens they pass on.
	Issuers, Pods *workload.Authenticator

	// Namespace and IssuerAccount identify the issuers' ServiceAccount.
	Namespace, IssuerAccount string

	// Directory holds all pods and what their grants depend on.
	Directory *directory.Directory

	// Key returns the key that signs tokens; nil while there is none.
	Key func() *token.Key

	// TokenIssuers chooses the issuer that a token names, and Machine holds the defaults of pods' places.
	TokenIssuers token.Issuers
	Machine      machine.Defaults

	// NameWorkloads adds the pod to tokens, as Kubernetes' own tokens do.
	NameWorkloads bool

	// Attestations signs attested documents.
	Attestations *attested.Signer

	// Federation signs assertions for Entra ID; nil without a federation issuer.
	Federation *Federation

	// Views shows issuers their nodes.
	Views *view.Hub

	// Outcomes keeps what Entra ID answered.
	Outcomes *Outcomes

	// Limits limits the requests of each node.
	Limits *NodeLimits

	// Log is the audit log. Unauthenticated limits the lines about callers that are not authenticated.
	Log             logr.Logger
	Unauthenticated *rate.Limiter

	Now func() time.Time
}

// Handler returns the API's handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		mux.HandleFunc("POST "+e.path, func(writer http.ResponseWriter, request *http.Request) { s.serve(e, writer, request) })
	}
	all := http.NewServeMux()
	all.Handle("/", bounded(maxAtOnce, http.MaxBytesHandler(mux, signerapi.MaxRequestBytes)))
	// Views last long, and have bounds of their own.
	all.HandleFunc("GET "+signerapi.ViewPath, s.serveView)
	return all
}

// endpoint is a path of the API and what answers it.
type endpoint struct {
	path string

	// kind names the endpoint's requests in the audit log and in metrics.
	kind string

	// answer returns the body of the response, and fills in the audit entry.
	answer func(*Server, *http.Request, *entry) (any, error)
}

var endpoints = []endpoint{
	{signerapi.TokenPath, "token", (*Server).answerToken},
	{signerapi.AttestationPath, "attestation", (*Server).answerAttestation},
	{signerapi.AssertionPath, "assertion", (*Server).answerAssertion},
	{signerapi.OutcomePath, "outcome", (*Server).answerOutcome},
}

// serve takes a request the same way at every endpoint: answer, audit, respond. A client that is gone gets neither.
func (s *Server) serve(e endpoint, writer http.ResponseWriter, request *http.Request) {
	entry := &entry{kind: e.kind, source: request.RemoteAddr}
	body, err := e.answer(s, request, entry)
	if err != nil {
		if !reply.IsGone(err) {
			entry.failure = refuse(writer, err)
			s.record(entry)
		}
		return
	}
	s.record(entry)
	reply.JSON(writer, http.StatusOK, body)
}

// read admits a request and parses the body.
func (s *Server) read(request *http.Request, entry *entry, into any) error {
	if err := s.admit(request, entry); err != nil {
		return err
	}
	if err := json.NewDecoder(request.Body).Decode(into); err != nil {
		return failure.BadRequest("the request is not the JSON object that it should be")
	}
	return nil
}

// admit authenticates the issuer behind a request, and takes it from what the issuer's node may ask.
func (s *Server) admit(request *http.Request, entry *entry) error {
	var err error
	if entry.issuer, err = s.authenticate(request); err != nil {
		return err
	}
	server.Proven(request.Context())
	if wait := s.Limits.take(entry.issuer.Node.Name, s.Now()); wait > 0 {
		return failure.TooMany(wait)
	}
	return nil
}

// refuse writes a failure.
func refuse(writer http.ResponseWriter, err error) *failure.Failure {
	f := failure.Of(err)
	_, code := reply.Status(f)
	reply.Fail(writer, f, signerapi.Error{Code: code, Description: f.Description, Reason: f.Reason, Detail: f.Detail})
	return f
}
