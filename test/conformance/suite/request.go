package suite

import (
	"fmt"
	"strconv"
	"strings"
)

// request is a request line, headers and a body, or raw bytes. It may contain placeholders such as {resource}; see
// target.go.
type request struct {
	method, target string
	headers        []string
	body           string

	// bytes, if set, are sent instead of the others.
	bytes string
}

// get returns a GET as IMDS clients send it.
func get(target string) request { return using("GET", target) }

func using(method, target string) request {
	return request{method: method, target: target, headers: []string{"Metadata: true"}}
}

// post returns a POST as curl sends it, which Microsoft's samples use.
func post(target, body string) request {
	return using("POST", target).with("Content-Type: application/x-www-form-urlencoded").sending(body)
}

// raw returns a request of raw lines and the blank line that ends the head.
func raw(lines ...string) request { return exactly(strings.Join(lines, "\r\n") + "\r\n\r\n") }

// exactly returns a request of raw bytes.
func exactly(bytes string) request { return request{bytes: bytes} }

// bare removes the header Metadata.
func (r request) bare() request {
	r.headers = nil
	return r
}

// metadata sets the header Metadata.
func (r request) metadata(value string) request { return r.bare().with("Metadata: " + value) }

// with adds headers, each as "Name: value".
func (r request) with(headers ...string) request {
	r.headers = append(append([]string(nil), r.headers...), headers...)
	return r
}

func (r request) sending(body string) request {
	r.body = body
	return r.with(fmt.Sprintf("Content-Length: %d", len(body)))
}

// isHead reports whether the answer has no body, whichever its Content-Length.
func (r request) isHead() bool { return r.method == "HEAD" }

// text returns the bytes to send.
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

// String describes the request in a line.
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

	// atOnce sends all requests before it reads an answer.
	atOnce bool
}

// asker is a request or a conversation.
type asker interface{ conversation() conversation }

func (r request) conversation() conversation { return conversation{requests: []request{r}} }

func (c conversation) conversation() conversation { return c }

// inTurn sends each request after the answer to the one before.
func inTurn(requests ...request) conversation { return conversation{requests: requests} }

// pipelined sends all requests at once.
func pipelined(requests ...request) conversation {
	return conversation{requests: requests, atOnce: true}
}

// String describes the conversation in a line.
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

// printable escapes characters that terminals do not show.
func printable(text string) string {
	if quoted := strconv.QuoteToASCII(text); quoted != `"`+strings.ReplaceAll(text, `\`, `\\`)+`"` {
		return quoted
	}
	return text
}

// shortened cuts a text to the length of a line.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}
