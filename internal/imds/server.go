package imds

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves a handler to clients that may be slow, hostile or both: what they may send and how long they may take is
// bounded, and whatever they send is answered as IMDS would. Scheduled events alone read bodies, and those up to a bound.
type Server struct{ http *http.Server }

// NewServer makes a server of a handler.
func NewServer(handler http.Handler, logger *slog.Logger) *Server {
	return &Server{&http.Server{
		Handler:           answering(handler),
		MaxHeaderBytes:    8 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// Go's server would answer OPTIONS * by itself.
		DisableGeneralOptionsHandler: true,

		ConnContext: withConnection,
		ConnState:   stateChanged,

		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
}

// Serve answers on a listener until the server is shut down or closed, and returns http.ErrServerClosed then.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(listener{l}) }

// Shutdown lets requests end, until the context does.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close ends all requests at once.
func (s *Server) Close() error { return s.http.Close() }
