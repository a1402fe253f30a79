package tokencache

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

const (
	// minRemaining is the remaining life below which a token is served only if there is no better one: Azure's Go SDK does
	// not cache such a token (clients.md, point 19).
	minRemaining = 5 * time.Minute

	// retryAfter is how long a source is not asked again after it failed or returned a token with little life left.
	retryAfter = 10 * time.Second
)

// entry is a cached token. Only its mark changes.
type entry struct {
	token *imds.Token

	// renewAt is when the token is renewed, if it was used.
	renewAt time.Time

	// used reports whether an application asked for this token.
	used atomic.Bool
}

// newEntry returns an entry for a new token. jitter in [0, 1) spreads the renewals of many pods.
func newEntry(token *imds.Token, used bool, now time.Time, random float64) *entry {
	fresh := &entry{token: token, renewAt: renewal(token, now, random)}
	fresh.used.Store(used)
	return fresh
}

// renewal returns when to renew a token: soon after its source has a newer one, or else about half way through the life that is left.
func renewal(token *imds.Token, now time.Time, random float64) time.Time {
	left := token.ExpiresOn.Sub(now)
	if left <= minRemaining+2*sweepEvery {
		return now.Add(retryAfter)
	}
	wait := time.Duration(float64(left) * (0.4 + 0.2*random))
	if !token.RenewsOn.IsZero() {
		spread := time.Duration(float64(left) * 0.1 * random)
		wait = max(token.RenewsOn.Sub(now), 0) + sweepEvery + spread
	}
	return now.Add(min(wait, left-minRemaining-2*sweepEvery))
}

func (e *entry) valid(now time.Time) bool { return now.Before(e.token.ExpiresOn) }

// servable reports whether the token may be served without asking for a better one.
func (e *entry) servable(now time.Time) bool {
	left := e.token.ExpiresOn.Sub(now)
	return left > minRemaining || left > 0 && now.Before(e.renewAt)
}

func (e *entry) due(now time.Time) bool { return e.used.Load() && !now.Before(e.renewAt) }

// markUsed writes only once, so that processors do not contend for the cache line.
func (e *entry) markUsed() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// postponed returns the entry with a later renewal.
func (e *entry) postponed(now time.Time) *entry {
	later := &entry{token: e.token, renewAt: now.Add(retryAfter)}
	later.used.Store(e.used.Load())
	return later
}

// flightKey identifies a request. No part of it contains a control character: the parser of requests rejects them.
func flightKey(generation uint64, request imds.TokenRequest) string {
	return strings.Join([]string{strconv.FormatUint(generation, 36),
		request.Resource, request.ClientID, request.ObjectID, request.ResourceID, strconv.FormatBool(request.BypassCache)}, "\x00")
}
