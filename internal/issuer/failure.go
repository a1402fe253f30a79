package issuer

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// failure is a request that is not granted: what its sidecar is told, and why for the audit log.
type failure struct {
	status      int
	code        string
	description string

	// reason is one word for the audit log and metrics.
	reason string

	// detail is a sentence for the audit log.
	detail string

	// retryAfter is how many seconds to wait before asking again; 0 where that is of no use.
	retryAfter int
}

func (f *failure) Error() string { return f.detail }

// Reasons beyond those of a grant.
const (
	reasonUnauthenticated = "Unauthenticated"
	reasonOtherNode       = "OtherNode"
	reasonUnknownPod      = "UnknownPod"
	reasonOtherAddress    = "OtherAddress"
	reasonBadRequest      = "BadRequest"
	reasonResource        = "ResourceNotAllowed"
	reasonThrottled       = "Throttled"
	reasonUnavailable     = "Unavailable"
)

func unauthenticated(detail string) *failure {
	return &failure{http.StatusUnauthorized, "unauthorized_client",
		"the pod's ServiceAccount token does not authenticate it to the issuer", reasonUnauthenticated, detail, 0}
}

func forbidden(reason, detail string) *failure {
	return &failure{http.StatusForbidden, "unauthorized_client",
		"this issuer does not serve the pod", reason, detail, 0}
}

func badRequest(description string) *failure {
	return &failure{http.StatusBadRequest, "invalid_request", description, reasonBadRequest, description, 0}
}

// mostWait is the most seconds that anybody is told to wait. Azure's Go SDK gives up where it is told to wait longer.
const mostWait = 25

// throttled says it as IMDS does, and for how long, in whole seconds.
func throttled(wait time.Duration) *failure {
	seconds := int(min((wait+time.Second-1)/time.Second, mostWait))
	return &failure{http.StatusTooManyRequests, "invalid_request",
		"Temporarily throttled, too many requests", reasonThrottled, "the pod asks more than it may", seconds}
}

func unavailable(detail string) *failure {
	return &failure{http.StatusServiceUnavailable, "service_unavailable",
		"the issuer cannot make a token at the moment; try again", reasonUnavailable, detail, 2}
}

// refused turns the refusal of a grant into IMDS's answer (imds-contract.md section 4). The application learns no
// more than IMDS would tell it; the audit log has the reason.
func refused(refusal *grant.Refusal) *failure {
	f := &failure{http.StatusBadRequest, "invalid_request", "Identity not found", string(refusal.Reason), refusal.Message, 0}
	switch {
	case refusal.Temporary():
		f = unavailable(refusal.Message)
		f.reason = string(refusal.Reason)
	case refusal.Reason == grant.ReasonNoDefault:
		f.description = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
	}
	return f
}

// writeFailure writes what the sidecar is told.
func writeFailure(writer http.ResponseWriter, err error) *failure {
	f := asFailure(err)
	if f.retryAfter > 0 {
		writer.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	writeJSON(writer, f.status, issuerapi.Error{Code: f.code, Description: f.description})
	return f
}

// asFailure is any error as what the application is told.
func asFailure(err error) *failure {
	var f *failure
	if !errors.As(err, &f) {
		f = unavailable(err.Error())
	}
	return f
}
