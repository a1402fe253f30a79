package suite

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// What is put up with of a server that is asked too much: an IMDS may throttle whoever asks, and the suite asks a lot.
const (
	maxThrottled  = 10
	maxRetryAfter = 25 * time.Second
)

// converse has a conversation, anew after as long as the server says where it has no time. No case expects that.
func (r runner) converse(ctx context.Context, talk conversation) ([]answer, error) {
	for attempt := 1; ; attempt++ {
		answers, err := r.wire.converse(ctx, talk)
		wait, throttled := throttledFor(answers)
		if !throttled || attempt == maxThrottled {
			return answers, err
		}
		select {
		case <-ctx.Done():
			return answers, err
		case <-time.After(wait):
		}
	}
}

// throttledFor is how long an answer asks to wait, if there is one that does.
func throttledFor(answers []answer) (wait time.Duration, throttled bool) {
	i := slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusTooManyRequests })
	if i < 0 {
		return 0, false
	}
	seconds, err := strconv.Atoi(answers[i].header.Get("Retry-After"))
	wait = time.Duration(seconds) * time.Second
	return wait, err == nil && 0 < wait && wait <= maxRetryAfter
}
