package reply

import (
	"net/http"
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// answers are the HTTP status and the OAuth error code of each kind of failure.
var answers = map[failure.Kind]struct {
	status int
	code   string
}{
	failure.Unavailable:     {http.StatusServiceUnavailable, "service_unavailable"},
	failure.Unauthenticated: {http.StatusUnauthorized, "unauthorized_client"},
	failure.Forbidden:       {http.StatusForbidden, "unauthorized_client"},
	failure.Invalid:         {http.StatusBadRequest, "invalid_request"},
	failure.InvalidResource: {http.StatusBadRequest, "invalid_resource"},
	failure.Throttled:       {http.StatusTooManyRequests, "invalid_request"},
}

// Status returns the HTTP status and the OAuth error code of a failure.
func Status(f *failure.Failure) (status int, code string) {
	answer := answers[f.Kind]
	return answer.status, answer.code
}

// KindOf returns the kind of failure behind a status and an error code. Unknown ones are Unavailable.
func KindOf(status int, code string) failure.Kind {
	if status == http.StatusBadRequest && code == answers[failure.InvalidResource].code {
		return failure.InvalidResource
	}
	for kind, answer := range answers {
		if answer.status == status && kind != failure.InvalidResource {
			return kind
		}
	}
	return failure.Unavailable
}

// Fail writes a failure with a body, and Retry-After if another request can succeed.
func Fail(writer http.ResponseWriter, f *failure.Failure, body any) {
	if f.Temporary() {
		writer.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	status, _ := Status(f)
	JSON(writer, status, body)
}
