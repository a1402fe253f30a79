package imds

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// shape is how errors look below a path. IMDS has two: see imds-contract.md section 1.
type shape struct {
	// noHeader answers what lacks the header Metadata.
	noHeader *Error

	body func(*Error) []byte
}

// identityShape is that of everything below /metadata/identity.
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

// plainShape is that of everything else. IMDS writes blanks inside its braces, save where it names versions.
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

// How long clients are told to wait. Azure's Go SDK gives up where it is told to wait longer than the most.
const (
	defaultRetryAfter = 5 * time.Second
	mostRetryAfter    = 25 * time.Second
)

// writeError is the one place that writes errors.
func (s shape) writeError(w http.ResponseWriter, err *Error) {
	switch err.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter(err.RetryAfter))
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", err.allow)
	}
	write(w, err.Status, contentJSON, s.body(err))
}

// retryAfter renders a wait in whole seconds, rounded up.
func retryAfter(wait time.Duration) string {
	if wait <= 0 {
		wait = defaultRetryAfter
	}
	wait = min(wait, mostRetryAfter)
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}
