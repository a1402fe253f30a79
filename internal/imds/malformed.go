package imds

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Go's HTTP server answers by itself what it cannot read as a request, or not as one that it serves: in plain text, and
// without asking any handler. Its answers are known by that: they are what is written on a connection on which no handler
// has been asked since the last answer. They are replaced by IMDS's.

// errMalformed is the answer to what is no request.
var errMalformed = &Error{
	Status:      http.StatusBadRequest,
	Description: "Bad request. The request is malformed, or longer than a request may be",
}

// listener hands out connections on which the server's own answers are replaced.
type listener struct{ net.Listener }

// Accept waits for a connection.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: accepted}, nil
}

// connection is one on which the server's own answers are replaced. The server writes, asks handlers and tells the state
// all in the same goroutine; so nothing here is guarded.
type connection struct {
	net.Conn

	// answering tells whether a handler has been asked, and its answer may not be written yet.
	answering bool

	// refused tells whether the server's own answer has been replaced. It is the last one.
	refused bool
}

// Write writes what a handler answers, and something else than what the server answers by itself.
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

// CloseWrite is what the server looks for before it waits for the client to read the last answer.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// malformedAnswer is a whole answer. Everything it says is our own.
func malformedAnswer(now time.Time) []byte {
	body := plainShape.body(errMalformed)
	header := http.Header{
		"Connection": {"close"},
		"Date":       {now.UTC().Format(http.TimeFormat)},
	}
	setHeader(header, contentJSON, []string{strconv.Itoa(len(body))})
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 400 Bad Request\r\n")
	// A buffer takes all that is written to it.
	_ = header.Write(&answer)
	answer.WriteString("\r\n")
	answer.Write(body)
	return answer.Bytes()
}

// connectionKey is that of the connection in the context of its requests.
type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// unwantedBodyPatience is how long the server waits for the rest of a body that nobody reads: it would keep the
// connection, and answers only then.
const unwantedBodyPatience = 200 * time.Millisecond

// answering tells a request's connection that what is written from now on is a handler's answer.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && r.Method != http.MethodPost {
			// Where no deadline can be set, the one of the whole request holds.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unwantedBodyPatience))
		}
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			c.answering = true
		}
		next.ServeHTTP(w, r)
	})
}

// stateChanged tells a connection that an answer has been written: then it is idle.
func stateChanged(c net.Conn, state http.ConnState) {
	if c, ok := c.(*connection); ok && state == http.StateIdle {
		c.answering = false
	}
}
