// Package issuer is the node API: it authenticates the pods of its own node, decides what they may have, and hands
// out tokens. It answers from memory alone. The API is that of internal/issuerapi.
package issuer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/server"
)

// Server answers the sidecars of one node.
type Server struct {
	// NodeName is the server's own node. Pods of others are refused.
	NodeName string

	// Authenticator finds out which pod asks.
	Authenticator *workload.Authenticator

	// Directory is what is known of the node's pods and what they may have.
	Directory *directory.Directory

	// Minters make the tokens, by the identity's token source.
	Minters Minters

	// Attestations signs who pods are.
	Attestations Attester

	// Revocations is how often signing keys have been revoked: sidecars drop what they keep when it changes.
	Revocations func() int64

	// Metadata is what instance metadata says where the node says nothing.
	Metadata machine.Defaults

	// AnyAddress takes a pod's requests from whatever address: for networks that hide pods' own on the way here.
	AnyAddress bool

	// Limits bounds what one pod may ask.
	Limits *Limits

	// Log is the audit log.
	Log logr.Logger

	// lines bounds what anybody may write to it.
	lines lineLimit

	// Now is the clock.
	Now func() time.Time

	// Stopping is closed when the server is to end: requests that are held are answered then.
	Stopping <-chan struct{}
}

// Handler routes the API's paths.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+issuerapi.TokenPath, s.serveToken)
	mux.HandleFunc("GET "+issuerapi.GrantPath, s.serveGrant)
	mux.HandleFunc("POST "+issuerapi.IdentityPath, s.serveIdentity)
	mux.HandleFunc("GET "+issuerapi.InstancePath, s.serveInstance)
	mux.HandleFunc("POST "+issuerapi.AttestationPath, s.serveAttestation)
	mux.HandleFunc("GET "+issuerapi.LoadBalancerPath, s.serveLoadBalancer)
	mux.HandleFunc("GET "+issuerapi.EventsPath, s.serveEvents)
	return http.MaxBytesHandler(mux, issuerapi.MaxRequestBytes)
}

// caller is a pod that has been authenticated, and what it may have.
type caller struct {
	workload workload.Workload

	// source is the address that asks.
	source string

	pod   *corev1.Pod
	grant grant.Grant

	// changed is closed when something has changed since.
	changed <-chan struct{}
}

// identify authenticates the pod behind a request, sees that it does not ask too much, and looks up what it may have.
// The request counts as worked on until it is done.
func (s *Server) identify(request *http.Request) (asking caller, done func(), err error) {
	asking.source = sourceOf(request.RemoteAddr)
	asking.workload, err = s.authenticate(request, asking.source)
	if err != nil {
		return asking, nothing, err
	}
	// Whoever has a pod's token and not its address must not use up what the pod may ask.
	done, err = s.Limits.Begin(asking.workload.Pod.UID + "@" + asking.source)
	if err != nil {
		return asking, done, err
	}
	asking, err = s.lookUp(request.Context(), asking)
	if err == nil {
		server.Proven(request.Context())
	}
	return asking, done, err
}

// lookUp finds out what an authenticated pod may have now. What is not known yet is waited for.
func (s *Server) lookUp(ctx context.Context, asking caller) (caller, error) {
	err := s.await(ctx, asking.workload.Pod.UID, func(ctx context.Context) (mayChange bool, err error) {
		asking.changed = s.Directory.Changed(asking.workload.Pod.UID)
		asking.pod, mayChange, err = s.findPod(ctx, asking)
		if err != nil {
			return mayChange, err
		}
		asking.grant, err = s.decideGrant(ctx, asking)
		return errors.Is(err, directory.ErrNotKnown), err
	})
	return asking, err
}

// decideGrant decides what a pod may have.
func (s *Server) decideGrant(ctx context.Context, asking caller) (grant.Grant, error) {
	decided, err := s.Directory.GrantYoung(ctx, asking.pod, asking.workload.ServiceAccount.UID, s.Now())
	if denial := decided.Denied(); err == nil && denial != nil && denial.Reason == grant.ReasonHostNetwork {
		err = reply.Forbidden(string(denial.Reason), denial.Message)
	}
	return decided, err
}
