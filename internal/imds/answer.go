package imds

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error is an error response.
type Error struct {
	// Status is the HTTP status. A source returns 400 for what no retry changes, and 429 or 503 for what will pass. SDKs
	// retry 404, 410 and 5xx for a long time.
	Status int

	// Code is the error code of the identity endpoints (imds-contract.md section 4). The other endpoints omit it.
	Code string

	// Description is for people.
	Description string

	// RetryAfter is the Retry-After of 429 and 503. Zero means a few seconds.
	RetryAfter time.Duration

	// newestVersions are listed when the api-version is refused.
	newestVersions []string

	// allow is the Allow header of 405.
	allow string
}

// Error returns the description.
func (e *Error) Error() string { return e.Description }

// Unavailable returns 503 for a condition that will pass.
func Unavailable(description string) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "service_unavailable", Description: description}
}

// Errors that do not come from a source.
var (
	errVersion = &Error{
		Status: http.StatusBadRequest,
		Code:   "invalid_request",
		Description: "Bad request. api-version is invalid or was not specified in the request. " +
			"For more information refer to aka.ms/azureimds",
		newestVersions: newestVersions,
	}
	errHost           = invalid("Bad request. The request was made to a host name that is not this machine's")
	errNoLoadBalancer = &Error{
		Status: http.StatusNotFound,
		Code:   "not_found",
		Description: "No load balancer metadata is found. Check if your virtual machine is using any nonbasic SKU load " +
			"balancer and retry later.",
	}
	errNotFound = &Error{Status: http.StatusNotFound, Code: "not_found", Description: "Not found"}

	errIdentityHeader = &Error{
		Status: http.StatusUnauthorized, Code: "unauthorized_client",
		Description: "The header X-IDENTITY-HEADER is missing, or is not the value of IDENTITY_HEADER",
	}
	errMethod = &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Description: "Method not allowed"}
)

// invalid returns 400, which no retry will change.
func invalid(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

// fromSource converts an error of a source into a response that every SDK understands. Statuses that some SDK misreads become
// 503: not all retry 501 and 502, 403 ends a chain of credentials, and 404 is retried for a minute and a half.
func fromSource(err error) *Error {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return Unavailable("The token or metadata could not be obtained, try again later")
	}
	answer := *refusal
	switch refusal.Status {
	case http.StatusBadRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		answer.Status, answer.Code = http.StatusServiceUnavailable, "service_unavailable"
	}
	// SDKs take the word "unreachable" as coming from Docker Desktop's proxy, and conclude that there is no IMDS.
	answer.Description = strings.ReplaceAll(answer.Description, "unreachable", "out of reach")
	return &answer
}

// shape is the form of errors below a path. IMDS has two (imds-contract.md section 1).
type shape struct {
	// noHeader is the error for a missing Metadata header.
	noHeader *Error

	body func(*Error) []byte
}

// identityShape is the shape below /metadata/identity.
var identityShape = shape{
	noHeader: invalid("Required metadata header not specified"),
	body: func(err *Error) []byte {
		return encode(struct {
			Code           string   `json:"error"`
			Description    string   `json:"error_description"`
			NewestVersions []string `json:"newest-versions,omitempty"`
		}{err.Code, err.Description, err.newestVersions})
	},
}

// plainShape is the shape of all other paths. IMDS writes spaces inside its braces, except where it lists versions.
var plainShape = shape{
	noHeader: invalid("Bad request: . Required metadata header not specified"),
	body: func(err *Error) []byte {
		if err.newestVersions == nil {
			return slices.Concat([]byte(`{ "error": `), encode(err.Description), []byte(` }`))
		}
		return encode(struct {
			Description    string   `json:"error"`
			NewestVersions []string `json:"newest-versions"`
		}{err.Description, err.newestVersions})
	},
}

// The bounds of Retry-After. Azure's Go SDK gives up when it should wait longer than the maximum.
const (
	defaultRetryAfter = 5 * time.Second
	maxRetryAfter     = 25 * time.Second
)

// writeError writes every error response.
func (s shape) writeError(w http.ResponseWriter, err *Error) {
	switch err.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter(err.RetryAfter))
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", err.allow)
	}
	write(w, err.Status, contentJSON, s.body(err))
}

// retryAfter formats a wait in whole seconds, rounded up.
func retryAfter(wait time.Duration) string {
	if wait <= 0 {
		wait = defaultRetryAfter
	}
	wait = min(wait, maxRetryAfter)
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// Header values are shared between responses, so that writing one allocates nothing.
var (
	serverName  = []string{"IMDS/150.870.65.1854"}
	contentJSON = []string{"application/json; charset=utf-8"}
	contentText = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
)

// write writes every response but rendered tokens.
func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	setHeader(w.Header(), contentType, []string{strconv.Itoa(len(body))})
	w.WriteHeader(status)
	// Nothing can be done for a client that has gone.
	_, _ = w.Write(body)
}

// setHeader sets the headers of every response. The keys are in canonical form.
func setHeader(header http.Header, contentType, contentLength []string) {
	header["Server"] = serverName
	header["X-Ms-Request-Id"] = []string{newRequestID()}
	header["Content-Type"] = contentType
	header["Content-Length"] = contentLength
}

// encode returns compact JSON without HTML escapes or a trailing newline. It panics on a value that JSON cannot hold, which no
// endpoint passes.
func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("imds: a value that JSON cannot hold: " + err.Error())
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

// newRequestID returns a random GUID that identifies a response. It need not be hard to guess.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // RFC 9562's variant

	text := make([]byte, 36)
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text)
}
