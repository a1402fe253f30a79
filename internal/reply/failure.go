// Package reply is what the issuer and the signer answer with: JSON, and of what is not granted why not.
package reply

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Failure is a request that is not granted: what its sidecar is told, and why for the audit log.
type Failure struct {
	Status      int
	Code        string
	Description string

	// Reason is one word for the audit log and metrics.
	Reason string

	// Detail is a sentence for the audit log.
	Detail string

	// RetryAfter is how many seconds to wait before asking again; 0 where that is of no use.
	RetryAfter int
}

// Error is the detail.
func (f *Failure) Error() string { return f.Detail }

// Reasons beyond those of a grant.
const (
	ReasonUnauthenticated = "Unauthenticated"
	ReasonOtherNode       = "OtherNode"
	ReasonUnknownPod      = "UnknownPod"
	ReasonOtherAddress    = "OtherAddress"
	ReasonNotInjected     = "NotInjected"
	ReasonBadRequest      = "BadRequest"
	ReasonResource        = "ResourceNotAllowed"
	ReasonThrottled       = "Throttled"
	ReasonUnavailable     = "Unavailable"
	ReasonNotSigned       = "NotSigned"
)

// Unauthenticated says that nobody knows who asks.
func Unauthenticated(detail string) *Failure {
	return &Failure{http.StatusUnauthorized, "unauthorized_client",
		"the pod's ServiceAccount token does not authenticate it to the issuer", ReasonUnauthenticated, detail, 0}
}

// Forbidden says that the pod is known, and not served.
func Forbidden(reason, detail string) *Failure {
	return &Failure{http.StatusForbidden, "unauthorized_client",
		"this issuer does not serve the pod", reason, detail, 0}
}

// BadRequest says what is wrong with the request.
func BadRequest(description string) *Failure {
	return &Failure{http.StatusBadRequest, "invalid_request", description, ReasonBadRequest, description, 0}
}

// mostWait is the most seconds that anybody is told to wait. Azure's Go SDK gives up where it is told to wait longer.
const mostWait = 25

// Throttled says it as IMDS does, and for how long, in whole seconds.
func Throttled(wait time.Duration) *Failure {
	seconds := int(min((wait+time.Second-1)/time.Second, mostWait))
	return &Failure{http.StatusTooManyRequests, "invalid_request",
		"Temporarily throttled, too many requests", ReasonThrottled, "the pod asks more than it may", seconds}
}

// Unavailable says that there may be an answer in a moment.
func Unavailable(detail string) *Failure {
	return &Failure{http.StatusServiceUnavailable, "service_unavailable",
		"the issuer cannot make a token at the moment; try again", ReasonUnavailable, detail, 2}
}

// NotSigned says that there is a key, and no signature of it at the moment.
func NotSigned(detail string) *Failure {
	f := Unavailable(detail)
	f.Reason = ReasonNotSigned
	return f
}

// Refused turns the refusal of a grant into IMDS's answer (imds-contract.md section 4). The application learns no
// more than IMDS would tell it; the audit log has the reason.
func Refused(refusal *grant.Refusal) *Failure {
	f := &Failure{http.StatusBadRequest, "invalid_request", "Identity not found", string(refusal.Reason), refusal.Message, 0}
	switch {
	case refusal.Temporary():
		f = Unavailable(refusal.Message)
		f.Reason = string(refusal.Reason)
	case refusal.Reason == grant.ReasonNoDefault:
		f.Description = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
	}
	return f
}

// ResourceNotAllowed answers as Entra does for a resource that it does not know (imds-contract.md section 4).
func ResourceNotAllowed(identity *v1alpha1.ManagedIdentity, resource string) *Failure {
	return &Failure{
		Status: http.StatusBadRequest, Code: "invalid_resource", Reason: ReasonResource,
		Description: fmt.Sprintf("AADSTS500011: The resource principal named %s was not found in the tenant named %s.",
			resource, identity.Status.TenantID),
		Detail: fmt.Sprintf("ManagedIdentity %q does not allow the resource: add it to spec.allowedResources", identity.Name),
	}
}

// SetRetryAfter says when to ask again, where that is of use.
func (f *Failure) SetRetryAfter(header http.Header) {
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
}

// Fail writes what the sidecar is told.
func Fail(writer http.ResponseWriter, err error) *Failure {
	f := AsFailure(err)
	f.SetRetryAfter(writer.Header())
	JSON(writer, f.Status, issuerapi.Error{Code: f.Code, Description: f.Description})
	return f
}

// AsFailure is any error as what the application is told.
func AsFailure(err error) *Failure {
	var f *Failure
	if !errors.As(err, &f) {
		f = Unavailable(err.Error())
	}
	return f
}
