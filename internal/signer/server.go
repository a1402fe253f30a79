// Package signer signs tokens and attested documents for the issuers of nodes, of pods that run on the issuer's own node
// now. It believes an issuer nothing else, and answers from memory alone. The API is that of internal/signerapi.
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
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Server answers the issuers of all nodes.
type Server struct {
	// Issuers authenticates issuers, and Pods the pods whose tokens they pass on.
	Issuers, Pods *workload.Authenticator

	// Namespace and IssuerAccount are those of the issuers' ServiceAccount.
	Namespace, IssuerAccount string

	// Directory is what is known of all pods and what they may have.
	Directory *directory.Directory

	// Key is the key that signs tokens; nil while there is none.
	Key func() *token.Key

	// TokenIssuers chooses the issuer that a token names, and Machine says where pods are as virtual machines.
	TokenIssuers token.Issuers
	Machine      machine.Defaults

	// NameWorkloads puts the pod into tokens, as Kubernetes' own tokens name it.
	NameWorkloads bool

	// Attestations signs who pods are.
	Attestations *attested.Signer

	// Limits bounds what the issuer of one node may ask.
	Limits *NodeLimits

	// Log is the audit log. Strangers bounds the lines about those who cannot be authenticated.
	Log       logr.Logger
	Strangers *rate.Limiter

	Now func() time.Time
}

// Handler routes the API's paths.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+signerapi.TokenPath, s.serveToken)
	mux.HandleFunc("POST "+signerapi.AttestationPath, s.serveAttestation)
	return bounded(maxAtOnce, http.MaxBytesHandler(mux, signerapi.MaxRequestBytes))
}

// read authenticates the issuer behind a request, and reads what it asks.
func (s *Server) read(request *http.Request, into any) (workload.Workload, error) {
	issuer, err := s.authenticate(request)
	if err != nil {
		return issuer, err
	}
	server.Proven(request.Context())
	if wait := s.Limits.take(issuer.Node.Name, s.Now()); wait > 0 {
		return issuer, failure.TooMany(wait)
	}
	if err := json.NewDecoder(request.Body).Decode(into); err != nil {
		return issuer, failure.BadRequest("the request is not the JSON object that it should be")
	}
	return issuer, nil
}

// refuse writes a failure.
func refuse(writer http.ResponseWriter, err error) *failure.Failure {
	f := failure.Of(err)
	_, code := reply.Status(f)
	reply.Fail(writer, f, signerapi.Error{Code: code, Description: f.Description, Reason: f.Reason, Detail: f.Detail})
	return f
}
