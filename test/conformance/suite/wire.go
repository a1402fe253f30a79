package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// answer is a response.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string

	// closes reports whether the connection ends with the answer.
	closes bool

	// to is the request as it was sent.
	to request
}

// String describes the answer for a report. It removes tokens before it cuts the body, so that no half token is left.
func (a answer) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d", a.status)
	for _, name := range []string{"Content-Type", "Server", "Allow", "Retry-After"} {
		if value := a.header.Get(name); value != "" {
			fmt.Fprintf(&text, " [%s: %s]", name, value)
		}
	}
	return text.String() + " " + shortened(fmt.Sprintf("%q", tokenText.ReplaceAllString(a.body, "TOKEN")), 400)
}

// maxBody bounds a body. IMDS's largest have a few kilobytes.
const maxBody = 1 << 20

// wire talks to a target byte by byte, because net/http's client would repair broken requests.
type wire struct {
	host    string
	timeout time.Duration

	// pace, if set, ticks before each request.
	pace <-chan time.Time
}

// converse sends requests over a new connection and reads an answer to each. After an error it also returns the answers so
// far.
func (w wire) converse(ctx context.Context, talk conversation) ([]answer, error) {
	address := w.host
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "80")
	}
	dialer := net.Dialer{Timeout: w.timeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { connection.Close() })()

	var answers []answer
	if talk.atOnce {
		// Requests that are sent at once take their turns in advance.
		for range talk.requests[1:] {
			w.wait(ctx)
		}
	}
	reader := bufio.NewReader(connection)
	for i, request := range talk.requests {
		if i == 0 || !talk.atOnce {
			w.wait(ctx)
		}
		if err := connection.SetDeadline(time.Now().Add(w.timeout)); err != nil {
			return answers, err
		}
		switch {
		case !talk.atOnce:
			send(connection, request.text(w.host))
		case i == 0:
			send(connection, w.joined(talk.requests))
		}
		answer, err := read(reader, request)
		if err != nil {
			return answers, fmt.Errorf("not an HTTP response: %w", err)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// wait waits until the next request may be sent.
func (w wire) wait(ctx context.Context) {
	if w.pace == nil {
		return
	}
	select {
	case <-w.pace:
	case <-ctx.Done():
	}
}

// send does not wait, because a server may answer before it has read everything. The answer shows if sending failed.
func send(connection net.Conn, text string) {
	go func() { _, _ = io.WriteString(connection, text) }()
}

func (w wire) joined(requests []request) string {
	var text strings.Builder
	for _, request := range requests {
		text.WriteString(request.text(w.host))
	}
	return text.String()
}

func read(reader *bufio.Reader, to request) (answer, error) {
	method := http.MethodGet
	if to.isHead() {
		method = http.MethodHead
	}
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("after %d: %w", response.StatusCode, err)
	}
	if len(body) == maxBody {
		return answer{}, errors.New("the body has no end")
	}
	return answer{response.StatusCode, response.Proto, response.Header, string(body), response.Close, to}, nil
}
