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

// errAtOnce is the answer to too many requests at once. How long the others will take is not known.
var errAtOnce = throttled(time.Second)

// throttled is IMDS's answer to too many requests.
func throttled(wait time.Duration) *Error {
	return &Error{
		Status:      http.StatusTooManyRequests,
		Code:        "invalid_request",
		Description: "Temporarily throttled, too many requests",
		RetryAfter:  wait,
	}
}

// azureLimits bounds requests as Azure does, however they would be answered.
type azureLimits struct {
	next http.Handler
	now  func() time.Time

	identity, others *rate.Limiter

	// atOnce holds something for each identity request that is being answered.
	atOnce chan struct{}
}

// LimitAsAzure answers no more requests than Azure's IMDS says it does, for clients that are to be tested against that.
// Requests without the header Metadata, by which clients find out that IMDS is there, are never limited (clients.md,
// point 27).
func LimitAsAzure(next http.Handler, now func() time.Time) http.Handler {
	return &azureLimits{
		next:     next,
		now:      now,
		identity: rate.NewLimiter(identityRequestsPerSecond, identityRequestsPerSecond),
		others:   rate.NewLimiter(requestsPerSecond, requestsPerSecond),
		atOnce:   make(chan struct{}, identityAtOnce),
	}
}

// ServeHTTP hands on what is within the limits.
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

// take counts a request, or tells how long it is until there may be one.
func (l *azureLimits) take(bucket *rate.Limiter) (wait time.Duration) {
	now := l.now()
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
