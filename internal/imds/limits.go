package imds

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// The limits that Azure documents for a virtual machine's IMDS (imds-contract.md section 1).
const (
	requestsPerSecond         = 5
	identityRequestsPerSecond = 20
	identityAtOnce            = 5
)

// errAtOnce is the response to too many concurrent requests. How long the others take is unknown.
var errAtOnce = throttled(time.Second)

// throttled returns IMDS's response to too many requests.
func throttled(wait time.Duration) *Error {
	return &Error{
		Status:      http.StatusTooManyRequests,
		Code:        "invalid_request",
		Description: "Temporarily throttled, too many requests",
		RetryAfter:  wait,
	}
}

// azureLimits limits requests as Azure does.
type azureLimits struct {
	next http.Handler
	now  func() time.Time

	identity, others *rate.Limiter

	// atOnce is a semaphore of identity requests.
	atOnce chan struct{}
}

// LimitAsAzure applies the rate limits of Azure's IMDS, to test clients against them. Requests without the Metadata header,
// with which clients probe for IMDS, are never limited (clients.md, point 27).
func LimitAsAzure(next http.Handler, now func() time.Time) http.Handler {
	return &azureLimits{
		next:     next,
		now:      now,
		identity: rate.NewLimiter(identityRequestsPerSecond, identityRequestsPerSecond),
		others:   rate.NewLimiter(requestsPerSecond, requestsPerSecond),
		atOnce:   make(chan struct{}, identityAtOnce),
	}
}

// ServeHTTP passes on requests within the limits.
func (l *azureLimits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !saysMetadata(r.Header) {
		l.next.ServeHTTP(w, r)
		return
	}
	rawPath, _, _ := strings.Cut(r.RequestURI, "?")
	if _, isIdentity := below(normalPath(rawPath), identityPath); !isIdentity {
		if wait := l.take(l.others); wait > 0 {
			plainShape.writeError(w, throttled(wait))
			return
		}
		l.next.ServeHTTP(w, r)
		return
	}
	select {
	case l.atOnce <- struct{}{}:
		defer func() { <-l.atOnce }()
	default:
		identityShape.writeError(w, errAtOnce)
		return
	}
	if wait := l.take(l.identity); wait > 0 {
		identityShape.writeError(w, throttled(wait))
		return
	}
	l.next.ServeHTTP(w, r)
}

// take admits a request, or returns how long to wait.
func (l *azureLimits) take(bucket *rate.Limiter) (wait time.Duration) {
	now := l.now()
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
