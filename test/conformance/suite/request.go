package suite

import (
	"fmt"
	"strconv"
	"strings"
)

// request is what is sent: a line, headers and a body, or bytes as they are. It may hold placeholders such as
// {resource}, see target.go.
type request struct {
	method, target string
	headers        []string
	body           string

	// bytes are sent instead of all the others.
	bytes string
}

// get asks for a target as a client of IMDS does.
func get(target string) request { return using("GET", target) }

func using(method, target string) request {
	return request{method: method, target: target, headers: []string{"Metadata: true"}}
}

// post sends a body in the way of curl, which Microsoft's samples use.
func post(target, body string) request {
	return using("POST", target).with("Content-Type: application/x-www-form-urlencoded").sending(body)
}

// raw sends lines as they are, and the blank one that ends a head.
func raw(lines ...string) request { return exactly(strings.Join(lines, "\r\n") + "\r\n\r\n") }

// exactly sends bytes as they are.
func exactly(bytes string) request { return request{bytes: bytes} }

// bare is the request without the header Metadata.
func (r request) bare() request {
	r.headers = nil
	return r
}

// metadata is the request with that value of the header Metadata.
func (r request) metadata(value string) request { return r.bare().with("Metadata: " + value) }

// with is the request with more headers, each as "Name: value".
func (r request) with(headers ...string) request {
	r.headers = append(append([]string(nil), r.headers...), headers...)
	return r
}

func (r request) sending(body string) request {
	r.body = body
	return r.with(fmt.Sprintf("Content-Length: %d", len(body)))
}

// isHead tells whether the answer has no body whatever its length.
func (r request) isHead() bool { return r.method == "HEAD" }

// text is what goes over the wire.
func (r request) text(host string) string {
	if r.bytes != "" {
		return r.bytes
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, host)
	for _, header := range r.headers {
		text.WriteString(header + "\r\n")
	}
	return text.String() + "\r\n" + r.body
}

// String is the request in a line.
func (r request) String() string {
	if r.bytes != "" {
		return shortened(fmt.Sprintf("%q", r.bytes), 160)
	}
	line := r.method + " " + shortened(printable(r.target), 160)
	if len(r.headers) == 0 {
		line += " without headers"
	}
	for _, header := range r.headers {
		if header != "Metadata: true" && !strings.HasPrefix(header, "Content-Length") {
			line += " [" + shortened(header, 60) + "]"
		}
	}
	if r.body != "" {
		line += " " + shortened(printable(r.body), 80)
	}
	return line
}

// conversation is one or more requests over one connection.
type conversation struct {
	requests []request

	// atOnce sends all before an answer is read.
	atOnce bool
}

// asker is what a case can ask.
type asker interface{ conversation() conversation }

func (r request) conversation() conversation { return conversation{requests: []request{r}} }

func (c conversation) conversation() conversation { return c }

// inTurn asks over one connection, each after the answer to the one before.
func inTurn(requests ...request) conversation { return conversation{requests: requests} }

// pipelined asks over one connection, all at once.
func pipelined(requests ...request) conversation {
	return conversation{requests: requests, atOnce: true}
}

// String is the conversation in a line.
func (c conversation) String() string {
	lines := make([]string, len(c.requests))
	for i, request := range c.requests {
		lines[i] = request.String()
	}
	if c.atOnce {
		return strings.Join(lines, " and at once ")
	}
	return strings.Join(lines, ", then ")
}

// printable escapes a text that has what terminals do not show.
func printable(text string) string {
	if quoted := strconv.QuoteToASCII(text); quoted != `"`+strings.ReplaceAll(text, `\`, `\\`)+`"` {
		return quoted
	}
	return text
}

// shortened is a text that fits into a line.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}
