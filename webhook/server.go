package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/server"
)

const (
	// answerTime bounds an answer. The API server waits for ten seconds.
	answerTime = 15 * time.Second

	// unauthenticatedTime bounds a connection without a request of the API server.
	unauthenticatedTime = 10 * time.Second
)

// Server answers the API server only, and no more at a time than there is memory for. Apart from listening it is
// controller-runtime's.
type Server struct {
	ctrlwebhook.Server

	address string
	certify func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	good    func(context.Context) capability.Set
}

// NewServer returns a server on a port of all addresses. It accepts requests with the capabilities that good returns.
func NewServer(port int, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), good func(context.Context) capability.Set) *Server {
	return &Server{
		Server:  ctrlwebhook.NewServer(ctrlwebhook.Options{Port: port}),
		address: net.JoinHostPort("", strconv.Itoa(port)), certify: certificate, good: good,
	}
}

// Start serves until the context ends. API servers speak HTTP/1.1 to webhooks.
func (s *Server) Start(ctx context.Context) error {
	bounds := server.DefaultBounds
	bounds.Unproven = unauthenticatedTime
	return server.New(s.address, s.handler(), s.certify, answerTime, server.HTTP1Only(), server.WithBounds(bounds)).Start(ctx)
}

func (s *Server) handler() http.Handler {
	limited := newLimit().around(s.WebhookMux())
	known := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		server.Proven(request.Context())
		limited.ServeHTTP(writer, request)
	})
	return capability.Door(s.good, known, func() { refuse(refusedUnauthenticated) })
}

// StartedChecker fails while the server does not listen.
func (s *Server) StartedChecker() healthz.Checker {
	return func(request *http.Request) error {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
		connection, err := dialer.DialContext(request.Context(), "tcp", s.address)
		if err != nil {
			return fmt.Errorf("reach the webhook: %w", err)
		}
		return connection.Close()
	}
}

var _ ctrlwebhook.Server = (*Server)(nil)
