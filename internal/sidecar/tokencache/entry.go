package tokencache

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

const (
	// scarce is the remaining life below which a token is only handed out for want of a better one: Azure's Go SDK
	// does not keep such a token (clients.md, point 19).
	scarce = 5 * time.Minute

	// retryAfter is how long a source that failed, or gave a scarce token, is not asked again for the same.
	retryAfter = 10 * time.Second
)

// entry is a kept token. It is replaced, not changed, save for its mark.
type entry struct {
	token *imds.Token

	// renewAt is when another token is asked for, if this one was used.
	renewAt time.Time

	// used tells whether an application asked for this token.
	used atomic.Bool
}

// newEntry keeps a token that was got now. Random, in [0, 1), spreads the renewals of many pods.
func newEntry(token *imds.Token, used bool, now time.Time, random float64) *entry {
	fresh := &entry{token: token, renewAt: renewal(token.ExpiresOn.Sub(now), now, random)}
	fresh.used.Store(used)
	return fresh
}

// renewal is when a token with so much life left is renewed: about half way, and well before it is scarce.
func renewal(left time.Duration, now time.Time, random float64) time.Time {
	if left <= scarce+2*sweepEvery {
		return now.Add(retryAfter)
	}
	halfWay := time.Duration(float64(left) * (0.4 + 0.2*random))
	return now.Add(min(halfWay, left-scarce-2*sweepEvery))
}

func (e *entry) valid(now time.Time) bool { return now.Before(e.token.ExpiresOn) }

// servable tells whether the token may be handed out without asking for a better one.
func (e *entry) servable(now time.Time) bool {
	left := e.token.ExpiresOn.Sub(now)
	return left > scarce || left > 0 && now.Before(e.renewAt)
}

func (e *entry) due(now time.Time) bool { return e.used.Load() && !now.Before(e.renewAt) }

// markUsed writes only where nothing is written yet, so that processors do not fight for the line.
func (e *entry) markUsed() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// postponed is the same token, to be renewed a little later.
func (e *entry) postponed(now time.Time) *entry {
	later := &entry{token: e.token, renewAt: now.Add(retryAfter)}
	later.used.Store(e.used.Load())
	return later
}

// flightKey names what is asked for. No part of it holds a control character: the parser of requests refuses them.
func flightKey(generation uint64, request imds.TokenRequest) string {
	return strings.Join([]string{strconv.FormatUint(generation, 36),
		request.Resource, request.ClientID, request.ObjectID, request.ResourceID, strconv.FormatBool(request.BypassCache)}, "\x00")
}
