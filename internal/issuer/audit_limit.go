package issuer

import (
	"maps"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/reply"
)

// What one source address may write to the audit log by requests that no pod's limit counts: those of nobody, and those
// that are too many. The first ones say it all; thousands a second would fill the node's disk and hide all else.
const (
	linesPerSecond = 1
	linesBurst     = 10

	// maxSources bounds how many addresses are told apart. A node has at most some hundred pods; what is more shares one
	// bucket.
	maxSources = 4096
)

// lineLimit bounds how many lines are written for each source address.
type lineLimit struct {
	mu      sync.Mutex
	sources map[string]*rate.Limiter
	swept   time.Time
}

// allow tells whether a line may be written for a source.
func (l *lineLimit) allow(source string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		maps.DeleteFunc(l.sources, func(_ string, bucket *rate.Limiter) bool { return isFull(bucket, now) })
	}
	return l.bucket(source).AllowN(now, 1)
}

func (l *lineLimit) bucket(source string) *rate.Limiter {
	if bucket, found := l.sources[source]; found {
		return bucket
	}
	if l.sources == nil {
		l.sources = map[string]*rate.Limiter{}
	}
	if len(l.sources) >= maxSources {
		const others = ""
		if bucket, found := l.sources[others]; found {
			return bucket
		}
		source = others
	}
	bucket := rate.NewLimiter(linesPerSecond, linesBurst)
	l.sources[source] = bucket
	return bucket
}

// isUncounted tells whether a request was refused before a pod's limit counted it, so that nothing bounds how many
// there are.
func isUncounted(f *reply.Failure) bool {
	switch f.Reason {
	case reply.ReasonUnauthenticated, reply.ReasonOtherNode, reply.ReasonThrottled:
		return true
	}
	return false
}

// sourceOf is the address that a request came from, without its port.
func sourceOf(remoteAddress string) string {
	host, _, err := net.SplitHostPort(remoteAddress)
	if err != nil {
		return remoteAddress
	}
	return host
}
