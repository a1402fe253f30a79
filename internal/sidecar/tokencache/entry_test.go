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
		left, renewsIn    time.Duration
		earliest, longest time.Duration
	}{
		"a day":                           {24 * time.Hour, 0, 9*time.Hour + 36*time.Minute, 14*time.Hour + 24*time.Minute},
		"an hour":                         {time.Hour, 0, 24 * time.Minute, 36 * time.Minute},
		"a quarter":                       {15 * time.Minute, 0, 6 * time.Minute, 9 * time.Minute},
		"seven minutes":                   {7 * time.Minute, 0, 90 * time.Second, 90 * time.Second},
		"almost minRemaining":             {minRemaining + 2*sweepEvery, 0, retryAfter, retryAfter},
		"a second":                        {time.Second, 0, retryAfter, retryAfter},
		"an hour, renewed in half":        {time.Hour, 30 * time.Minute, 30*time.Minute + sweepEvery, 36*time.Minute + sweepEvery},
		"half an hour, renewed meanwhile": {30 * time.Minute, -time.Minute, sweepEvery, 3*time.Minute + sweepEvery},
		"ten minutes, renewed too late":   {10 * time.Minute, 9 * time.Minute, 4*time.Minute + 30*time.Second, 4*time.Minute + 30*time.Second},
		"already expired":                 {-time.Hour, 0, retryAfter, retryAfter},
	} {
		token := &imds.Token{ExpiresOn: now.Add(test.left)}
		if test.renewsIn != 0 {
			token.RenewsOn = now.Add(test.renewsIn)
		}
		for random, want := range map[float64]time.Duration{0: test.earliest, 1: test.longest} {
			if got := renewal(token, now, random).Sub(now); got.Round(time.Millisecond) != want {
				t.Errorf("%s, random %v: in %s, want %s", name, random, got, want)
			}
		}
	}
}
