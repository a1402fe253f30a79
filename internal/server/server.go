// Package server runs the HTTPS servers of all parts, with bounds on what a client may hold.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// drainTime bounds the requests in progress at shutdown.
const drainTime = 10 * time.Second

// Server is a manager.Runnable. Every replica runs it.
type Server struct {
	server *http.Server
	bounds Bounds
}

// New returns an HTTPS server. writeTimeout bounds an answer. The default bounds are DefaultBounds.
func New(address string, handler http.Handler, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error),
	writeTimeout time.Duration, options ...Option,
) *Server {
	server := NewPlain(address, handler, writeTimeout, options...)
	server.server.TLSConfig = &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS13}
	return server
}

// NewPlain returns a server without TLS, for public data that clients need before they can trust anybody.
func NewPlain(address string, handler http.Handler, writeTimeout time.Duration, options ...Option) *Server {
	server := &Server{&http.Server{
		Addr:              address,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second, // and that of the TLS handshake
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             http2Bounds(),
		ConnContext:       withConnection,
	}, DefaultBounds}
	for _, option := range options {
		option(server)
	}
	return server
}

func (s *Server) serve(ctx context.Context) error {
	plain, err := new(net.ListenConfig).Listen(ctx, "tcp", s.server.Addr)
	if err != nil {
		return err
	}
	bounded := &listener{plain, newGate(s.bounds, s.server.Addr, time.Now)}
	if s.server.TLSConfig == nil {
		return s.server.Serve(bounded)
	}
	return s.server.ServeTLS(bounded, "", "")
}

// Start serves until the context ends, and then lets requests finish.
func (s *Server) Start(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.serve(context.WithoutCancel(ctx)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", s.server.Addr, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := s.server.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving on %s: %w", s.server.Addr, err)
	}
	return nil
}

// NeedLeaderElection returns false: every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// MetricsOptions serve metrics in plain HTTP. The NetworkPolicy guards them.
func MetricsOptions(address string) metricsserver.Options {
	return metricsserver.Options{BindAddress: address}
}
