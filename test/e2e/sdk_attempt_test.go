package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// sdkAttempt is a client's report of one attempt to get a token, with its requests in IMDS's log.
type sdkAttempt struct {
	Client, Version, Credential, Selector, Resource string

	// At is the time of the token in milliseconds since 1970.
	At int64

	// Milliseconds is how long the attempt took.
	Milliseconds float64

	Token, Error string

	// Sent are the requests of this attempt.
	Sent []sentRequest
}

func (a sdkAttempt) String() string {
	return fmt.Sprintf("%s, %s by %s for %s", a.Client, a.Credential, a.Selector, a.Resource)
}

// sdkRun is the output of a client's pod.
type sdkRun struct {
	// Started is the start time of the container's first process.
	Started  time.Time
	Attempts []sdkAttempt
}

// firstToken returns the time from the container's start to the client's first token.
func (r sdkRun) firstToken() time.Duration {
	return time.UnixMilli(r.Attempts[0].At).Sub(r.Started)
}

// readRun parses a client's output and its sidecar's log.
func readRun(t *testing.T, printed, logged string) sdkRun {
	t.Helper()
	run := readPrinted(t, printed)
	if run.Started.IsZero() {
		t.Fatalf("the client's start was not printed: %s", printed)
	}
	attribute(run.Attempts, readSent(t, logged))
	return run
}

// readPrinted parses a client's output.
func readPrinted(t *testing.T, printed string) sdkRun {
	t.Helper()
	var run sdkRun
	for line := range strings.Lines(printed) {
		var read struct {
			Started int64
			sdkAttempt
		}
		if json.Unmarshal([]byte(line), &read) != nil {
			continue // what an SDK says on the standard error is in the same log
		}
		if read.Started != 0 {
			run.Started = time.UnixMilli(read.Started)
			continue
		}
		run.Attempts = append(run.Attempts, read.sdkAttempt)
	}
	if len(run.Attempts) == 0 {
		t.Fatalf("the client printed no attempts: %s", printed)
	}
	return run
}

// attribute assigns requests to attempts. Both are in the order of time, and a token request names an identity
// and a resource; the requests before it, such as probes, belong to the same attempt.
func attribute(attempts []sdkAttempt, sent []sentRequest) {
	current := -1
	var before []sentRequest
	for _, request := range sent {
		before = append(before, request)
		next := slices.IndexFunc(attempts[current+1:], request.isFor)
		switch {
		case next >= 0:
			current += 1 + next
		case current < 0 || !request.isFor(attempts[current]):
			continue
		}
		attempts[current].Sent = append(attempts[current].Sent, before...)
		before = nil
	}
	// The remaining requests belong to the last attempt.
	last := &attempts[len(attempts)-1]
	last.Sent = append(last.Sent, before...)
}

// sentRequest is a line of the sidecar's log about a request.
type sentRequest struct {
	Time             time.Time
	Message          string `json:"msg"`
	Method, Target   string
	UserAgent        string
	ClientSKU        string
	Metadata         bool
	Status           int
	target           *url.URL
	query            url.Values
	queryNamesInTurn []string
}

func (r sentRequest) String() string {
	return fmt.Sprintf("%s %s (Metadata: %v) %d", r.Method, r.Target, r.Metadata, r.Status)
}

// isProbe reports whether the request only detects IMDS.
func (r sentRequest) isProbe() bool { return !r.Metadata }

// isFor reports whether the request is for the token of an attempt.
func (r sentRequest) isFor(attempt sdkAttempt) bool {
	return !r.isProbe() && r.query.Get("resource") == attempt.Resource && r.selector() == attempt.Selector
}

// selector returns the parameter by which the request selects an identity.
func (r sentRequest) selector() string {
	for _, name := range r.queryNamesInTurn {
		switch name {
		case "client_id":
			return byClientID
		case "object_id", "principal_id":
			return byObjectID
		case "msi_res_id", "mi_res_id", "resource_id":
			return byResourceID
		}
	}
	return byDefault
}

func readSent(t *testing.T, logged string) []sentRequest {
	t.Helper()
	var sent []sentRequest
	for scanner := bufio.NewScanner(bytes.NewBufferString(logged)); scanner.Scan(); {
		var request sentRequest
		if json.Unmarshal(scanner.Bytes(), &request) != nil || request.Message != "request" {
			continue
		}
		var err error
		request.target, err = url.ParseRequestURI(request.Target)
		must(t, err, "read the target %s", request.Target)
		if !strings.HasPrefix(request.target.Path, "/metadata") {
			continue // the sidecar's own hook
		}
		request.query = request.target.Query()
		for pair := range strings.SplitSeq(request.target.RawQuery, "&") {
			name, _, _ := strings.Cut(pair, "=")
			if name != "" {
				request.queryNamesInTurn = append(request.queryNamesInTurn, name)
			}
		}
		sent = append(sent, request)
	}
	return sent
}

// describeSent summarizes a client's requests: the API versions, the parameters that select identities, and
// the parameters of its probe.
func describeSent(attempts []sdkAttempt) string {
	var versions, names []string
	probe := ""
	for _, attempt := range attempts {
		for _, request := range attempt.Sent {
			if request.isProbe() {
				probe = "; probe: " + orBare(strings.Join(request.queryNamesInTurn, ", "))
				continue
			}
			versions = append(versions, request.query.Get("api-version"))
			for _, name := range request.queryNamesInTurn {
				if name != "api-version" && name != "resource" {
					names = append(names, name)
				}
			}
		}
	}
	return strings.Join(distinct(versions), ", ") + "; " + orBare(strings.Join(distinct(names), ", ")) + probe
}

func orBare(text string) string {
	if text == "" {
		return "bare"
	}
	return text
}

func distinct(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
