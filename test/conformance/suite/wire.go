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

// answer is what came back.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string

	// closes tells whether the connection ends with the answer.
	closes bool

	// to is the request as it was sent.
	to request
}

// String is the answer for a report. What is cut off its body could be half a token, so tokens go first.
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

// mostBody bounds what is read of a body: IMDS's largest have a few kilobytes.
const mostBody = 1 << 20

// wire talks to a target, byte by byte: net/http's client would mend what is to be sent broken.
type wire struct {
	host    string
	timeout time.Duration

	// pace ticks before each request, if there is one.
	pace <-chan time.Time
}

// converse sends requests over a connection of their own and reads an answer to each. What was answered before
// something went wrong is returned with the error.
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
		// What is sent at once is paid for in advance.
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
			return answers, fmt.Errorf("no answer that is HTTP: %w", err)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// wait is for the next request's turn.
func (w wire) wait(ctx context.Context) {
	if w.pace == nil {
		return
	}
	select {
	case <-w.pace:
	case <-ctx.Done():
	}
}

// send does not wait: a server may answer before it has read all. That it could not be sent shows in the answer.
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
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBody))
	if err != nil {
		return answer{}, fmt.Errorf("after %d: %w", response.StatusCode, err)
	}
	if len(body) == mostBody {
		return answer{}, errors.New("the body has no end")
	}
	return answer{response.StatusCode, response.Proto, response.Header, string(body), response.Close, to}, nil
}
