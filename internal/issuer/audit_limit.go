package issuer

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// lineBound bounds the lines of one writer in the audit log.
type lineBound struct {
	perSecond rate.Limit
	burst     int
}

var (
	// sourceLines is for requests that no pod's limit counts, by source address: thousands a second would fill the node's
	// disk and hide everything else.
	sourceLines = lineBound{1, 10}

	// podLines is for a pod's grants and, separately, its refusals, so that neither hides the other. The burst covers a
	// sidecar that renews all its tokens at once.
	podLines = lineBound{1, 100}
)

// maxSources bounds the buckets. A node has some hundred pods at the most; all others share a bucket.
const maxSources = 4096

// lineLimit limits the lines of each pod and each source address.
type lineLimit struct {
	mu      sync.Mutex
	buckets map[lineWriter]*lineBucket
	swept   time.Time
}

// lineWriter is whose lines a bucket limits: those about a pod or of a source address.
type lineWriter struct{ about, name string }

type lineBucket struct {
	limiter *rate.Limiter

	// suppressed counts the lines dropped since the last one written.
	suppressed int
}

// take reports whether a line may be written, and how many before it were dropped.
func (l *lineLimit) take(x *exchange, now time.Time) (suppressed int, allowed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		maps.DeleteFunc(l.buckets, func(_ lineWriter, bucket *lineBucket) bool { return isFull(bucket.limiter, now) })
	}
	bucket := l.bucket(x.writer())
	if !bucket.limiter.AllowN(now, 1) {
		bucket.suppressed++
		return 0, false
	}
	suppressed, bucket.suppressed = bucket.suppressed, 0
	return suppressed, true
}

// writer returns the bucket that a line counts for, and its bound.
func (x *exchange) writer() (lineWriter, lineBound) {
	switch {
	case x.workload.Pod.UID == "" || isUncounted(x.failure):
		return lineWriter{"source", x.source}, sourceLines
	case x.failure == nil:
		return lineWriter{"granted", x.workload.Pod.UID}, podLines
	}
	return lineWriter{"refused", x.workload.Pod.UID}, podLines
}

func (l *lineLimit) bucket(writer lineWriter, bound lineBound) *lineBucket {
	if bucket, found := l.buckets[writer]; found {
		return bucket
	}
	if l.buckets == nil {
		l.buckets = map[lineWriter]*lineBucket{}
	}
	if len(l.buckets) >= maxSources {
		writer, bound = lineWriter{about: "others"}, sourceLines
		if bucket, found := l.buckets[writer]; found {
			return bucket
		}
	}
	bucket := &lineBucket{limiter: rate.NewLimiter(bound.perSecond, bound.burst)}
	l.buckets[writer] = bucket
	return bucket
}

// isUncounted reports whether a request failed without counting for a pod's limit, so that nothing else bounds such requests.
func isUncounted(f *failure.Failure) bool {
	if f == nil {
		return false
	}
	switch f.Reason {
	case failure.ReasonUnauthenticated, failure.ReasonOtherNode, failure.ReasonOtherAddress, failure.ReasonThrottled:
		return true
	}
	return false
}
