package suite

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The limits of retries: a server may throttle the suite's many requests.
const (
	maxThrottled  = 10
	maxRetryAfter = 25 * time.Second
)

// converse has a conversation. If it is throttled, converse repeats it after the time in Retry-After. No case expects
// throttling.
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

// throttledFor returns how long a throttled answer asks to wait.
func throttledFor(answers []answer) (wait time.Duration, throttled bool) {
	i := slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusTooManyRequests })
	if i < 0 {
		return 0, false
	}
	seconds, err := strconv.Atoi(answers[i].header.Get("Retry-After"))
	wait = time.Duration(seconds) * time.Second
	return wait, err == nil && 0 < wait && wait <= maxRetryAfter
}
