package imds

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Server serves a handler to clients that may be slow or hostile. It bounds what they send and how long they take, and
// answers even malformed requests as IMDS would. Only scheduled events read bodies, up to a bound.
type Server struct{ http *http.Server }

// NewServer returns a server for handler.
func NewServer(handler http.Handler, logger *slog.Logger) *Server {
	return &Server{&http.Server{
		Handler:           answering(handler),
		MaxHeaderBytes:    8 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// Otherwise Go's server answers OPTIONS * itself.
		DisableGeneralOptionsHandler: true,

		ConnContext: withConnection,
		ConnState:   stateChanged,

		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
}

// Serve serves on a listener until Shutdown or Close, and then returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(listener{l}) }

// Shutdown waits for requests to finish, at most until the context ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close aborts all requests.
func (s *Server) Close() error { return s.http.Close() }

// Go's HTTP server answers malformed requests itself, in plain text and without calling a handler. Such an answer can be
// recognized: it is written while no handler runs. The connection replaces it with IMDS's own.

// errMalformed is the response to a malformed request.
var errMalformed = &Error{
	Status:      http.StatusBadRequest,
	Description: "Bad request. The request is malformed, or longer than a request may be",
}

// listener wraps accepted connections in connection.
type listener struct{ net.Listener }

// Accept waits for a connection.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: accepted}, nil
}

// connection replaces the answers that Go's server writes by itself. The server writes, calls handlers and reports states in
// one goroutine, so nothing here needs a lock.
type connection struct {
	net.Conn

	// answering reports whether a handler was called since the connection was last idle.
	answering bool

	// refused reports whether the server's own answer was replaced. It is the connection's last.
	refused bool
}

// Write passes on a handler's answer, and replaces the server's own.
func (c *connection) Write(answer []byte) (int, error) {
	if c.answering {
		return c.Conn.Write(answer)
	}
	if !c.refused {
		c.refused = true
		if _, err := c.Conn.Write(malformedAnswer(time.Now())); err != nil {
			return 0, err
		}
	}
	return len(answer), nil
}

// CloseWrite lets the server wait for the client to read the last answer.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// malformedAnswer returns a complete response. It echoes nothing of the request.
func malformedAnswer(now time.Time) []byte {
	body := plainShape.body(errMalformed)
	header := http.Header{
		"Connection": {"close"},
		"Date":       {now.UTC().Format(http.TimeFormat)},
	}
	setHeader(header, contentJSON, []string{strconv.Itoa(len(body))})
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 400 Bad Request\r\n")
	// A write to a buffer never fails.
	_ = header.Write(&answer)
	answer.WriteString("\r\n")
	answer.Write(body)
	return answer.Bytes()
}

// connectionKey is the context key of a request's connection.
type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// unwantedBodyTimeout bounds how long the server reads a body that no handler wants, which it does before it answers.
const unwantedBodyTimeout = 200 * time.Millisecond

// answering marks what is written from now on as a handler's answer.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && r.Method != http.MethodPost {
			// If this fails, the deadline of the whole request remains.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unwantedBodyTimeout))
		}
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			c.answering = true
		}
		next.ServeHTTP(w, r)
	})
}

// stateChanged ends the answer of an idle connection.
func stateChanged(c net.Conn, state http.ConnState) {
	if c, ok := c.(*connection); ok && state == http.StateIdle {
		c.answering = false
	}
}
