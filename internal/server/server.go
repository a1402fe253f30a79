// Package server runs the HTTPS servers of all parts, with bounds on what a client may hold.
package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"
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
	server.server.TLSConfig = &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS13, NextProtos: server.protocols()}
	return server
}

// NewPlain returns a server without TLS, for public data that clients need before they trust a certificate.
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

// Start serves until the context ends, and then lets requests finish.
func (s *Server) Start(ctx context.Context) error {
	bounded, err := s.listen(ctx)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.server.Addr, err)
	}
	serving := &manager.Server{Server: s.server, Listener: bounded, ShutdownTimeout: new(drainTime)}
	if err := serving.Start(ctx); err != nil {
		return fmt.Errorf("serve on %s: %w", s.server.Addr, err)
	}
	return nil
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	plain, err := new(net.ListenConfig).Listen(ctx, "tcp", s.server.Addr)
	if err != nil {
		return nil, err
	}
	bounded := &listener{plain, newGate(s.bounds, s.server.Addr, time.Now)}
	if s.server.TLSConfig == nil {
		return bounded, nil
	}
	return tls.NewListener(bounded, s.server.TLSConfig), nil
}

// protocols returns the names of the protocols that TLS negotiates.
func (s *Server) protocols() []string {
	if allowed := s.server.Protocols; allowed != nil && !allowed.HTTP2() {
		return []string{"http/1.1"}
	}
	return []string{"h2", "http/1.1"}
}

// NeedLeaderElection returns false: every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }
