package tokencache

import (
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

func TestServable(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		left, renewIn time.Duration
		want          bool
	}{
		"fresh":                        {time.Hour, 30 * time.Minute, true},
		"to be renewed":                {10 * time.Minute, -time.Minute, true},
		"minRemaining":                 {minRemaining, -time.Minute, false},
		"minRemaining, renewal failed": {minRemaining, time.Second, true},
		"expired":                      {0, -time.Minute, false},
		"expired, renewal failed":      {0, time.Second, false},
	} {
		kept := &entry{token: &imds.Token{ExpiresOn: now.Add(test.left)}, renewAt: now.Add(test.renewIn)}
		if got := kept.servable(now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		left              time.Duration
		earliest, longest time.Duration
	}{
		"a day":               {24 * time.Hour, 9*time.Hour + 36*time.Minute, 14*time.Hour + 24*time.Minute},
		"an hour":             {time.Hour, 24 * time.Minute, 36 * time.Minute},
		"a quarter":           {15 * time.Minute, 6 * time.Minute, 9 * time.Minute},
		"seven minutes":       {7 * time.Minute, 90 * time.Second, 90 * time.Second},
		"almost minRemaining": {minRemaining + 2*sweepEvery, retryAfter, retryAfter},
		"a second":            {time.Second, retryAfter, retryAfter},
		"already expired":     {-time.Hour, retryAfter, retryAfter},
	} {
		for random, want := range map[float64]time.Duration{0: test.earliest, 1: test.longest} {
			if got := renewal(test.left, now, random).Sub(now); got.Round(time.Millisecond) != want {
				t.Errorf("%s, random %v: in %s, want %s", name, random, got, want)
			}
		}
	}
}
