package issuer

import (
	"slices"
	"time"
)

// latencies are how long requests took.
type latencies []time.Duration

// quantile returns the smallest latency that a part of them does not exceed: 0.5 is the median, and 1 the slowest.
func (l latencies) quantile(part float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

// times returns how many times as long as another duration one is.
func times(one, other time.Duration) float64 {
	if other == 0 {
		return 0
	}
	return float64(one) / float64(other)
}
