// Package failure holds the errors of decisions about pods: why a pod does not get what it asked for. It knows nothing of
// HTTP; package reply translates.
package failure

import (
	"errors"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Failure is a request that is not granted.
type Failure struct {
	Kind Kind

	// Description is the message for the application.
	Description string

	// Reason is one word for the audit log and metrics.
	Reason string

	// Detail is a sentence for the audit log.
	Detail string

	// RetryAfter is how long to wait before the next request; 0 if another one is pointless.
	RetryAfter time.Duration
}

// Kind says what the caller can do about a failure.
type Kind int

// The kinds of failures.
const (
	// Unavailable failures pass by themselves.
	Unavailable Kind = iota

	// Unauthenticated failures are of callers that are not known.
	Unauthenticated

	// Forbidden failures are of pods that are known, and not served.
	Forbidden

	// Invalid failures need another request or another grant.
	Invalid

	// InvalidResource failures are Invalid because of the resource.
	InvalidResource

	// Throttled failures pass when the caller asks less.
	Throttled
)

// Error returns the detail.
func (f *Failure) Error() string { return f.Detail }

// Temporary reports whether the same request can succeed later.
func (f *Failure) Temporary() bool { return f.RetryAfter > 0 }

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
	ReasonNotPublished    = "NotPublished"
	ReasonEntra           = "EntraRefused"
)

// Unauthorized returns the failure of a caller that is not known.
func Unauthorized(detail string) *Failure {
	return &Failure{
		Kind: Unauthenticated, Reason: ReasonUnauthenticated, Detail: detail,
		Description: "the pod's ServiceAccount token does not authenticate it to the issuer",
	}
}

// Denied returns the failure of a known pod that is not served.
func Denied(reason, detail string) *Failure {
	return &Failure{Kind: Forbidden, Reason: reason, Detail: detail, Description: "this issuer does not serve the pod"}
}

// BadRequest returns the failure of an invalid request.
func BadRequest(description string) *Failure {
	return &Failure{Kind: Invalid, Reason: ReasonBadRequest, Detail: description, Description: description}
}

// maxRetryAfter bounds RetryAfter: Azure's Go SDK gives up when it should wait longer.
const maxRetryAfter = 25 * time.Second

// TooMany returns the failure of a caller that must wait. The wait is rounded up to whole seconds.
func TooMany(wait time.Duration) *Failure {
	return &Failure{
		Kind: Throttled, Reason: ReasonThrottled, Detail: "the pod asks more than it may",
		Description: "Temporarily throttled, too many requests",
		RetryAfter:  RoundRetryAfter(wait),
	}
}

// RoundRetryAfter rounds a wait up to whole seconds, within what clients accept.
func RoundRetryAfter(wait time.Duration) time.Duration {
	return min((wait + time.Second - 1).Truncate(time.Second), maxRetryAfter)
}

// NotNow returns a failure that passes by itself.
func NotNow(detail string) *Failure {
	return &Failure{
		Kind: Unavailable, Reason: ReasonUnavailable, Detail: detail, RetryAfter: 2 * time.Second,
		Description: "the issuer cannot make a token at the moment; try again",
	}
}

// NotSigned returns the failure of a key that does not sign at the moment.
func NotSigned(detail string) *Failure {
	f := NotNow(detail)
	f.Reason = ReasonNotSigned
	return f
}

// NotPublished returns the failure while Entra ID could not verify an assertion, with the way out.
func NotPublished(wayOut string) *Failure {
	f := NotNow("no key of the federation issuer has been seen at its public URL: " + wayOut)
	f.Reason = ReasonNotPublished
	return f
}

// Refused returns the failure of a refused identity (imds-contract.md section 4). The application learns no more than IMDS
// would tell it; the audit log has the reason.
func Refused(refusal *grant.Refusal) *Failure {
	if refusal.Temporary() {
		f := NotNow(refusal.Message)
		f.Reason = string(refusal.Reason)
		return f
	}
	f := &Failure{Kind: Invalid, Reason: string(refusal.Reason), Detail: refusal.Message, Description: "Identity not found"}
	if refusal.Reason == grant.ReasonNoDefault {
		f.Description = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
	}
	return f
}

// ResourceNotAllowed returns Entra's failure for a resource that it does not know (imds-contract.md section 4).
func ResourceNotAllowed(identity *v1alpha1.ManagedIdentity, resource string) *Failure {
	return &Failure{
		Kind: InvalidResource, Reason: ReasonResource,
		Description: fmt.Sprintf("AADSTS500011: The resource principal named %s was not found in the tenant named %s.",
			resource, identity.Status.TenantID),
		Detail: fmt.Sprintf("ManagedIdentity %q does not allow the resource: add it to spec.allowedResources", identity.Name),
	}
}

// Of returns the Failure in an error's chain. Any other error will pass.
func Of(err error) *Failure {
	if f, found := errors.AsType[*Failure](err); found {
		return f
	}
	return NotNow(err.Error())
}
