package issuer

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/reply"
)

// lineBound is how many lines one may write to the audit log, a second in the long run and at once.
type lineBound struct {
	perSecond rate.Limit
	burst     int
}

var (
	// sourceLines are for an address that no pod's limit counts: requests of nobody, and those that are too many. The
	// first ones say it all; thousands a second would fill the node's disk and hide all else.
	sourceLines = lineBound{1, 10}

	// podLines are for a pod, of what it is granted, and of what it is refused, so that neither hides the other. A calm pod
	// asks at most as much as podLimits lets it ask at once, when all that its sidecar keeps is to be renewed.
	podLines = lineBound{1, 100}
)

// maxSources bounds how many are told apart. A node has at most some hundred pods; what is more shares one bucket.
const maxSources = 4096

// lineLimit bounds how many lines are written for each pod, and for each source address.
type lineLimit struct {
	mu      sync.Mutex
	buckets map[string]*lineBucket
	swept   time.Time
}

type lineBucket struct {
	limiter *rate.Limiter

	// suppressed counts the lines that were not written since the last one that was.
	suppressed int
}

// take tells whether a line may be written, and how many that should stand before it were not.
func (l *lineLimit) take(e entry, now time.Time) (suppressed int, allowed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		maps.DeleteFunc(l.buckets, func(_ string, bucket *lineBucket) bool { return isFull(bucket.limiter, now) })
	}
	bucket := l.bucket(e.writer())
	if !bucket.limiter.AllowN(now, 1) {
		bucket.suppressed++
		return 0, false
	}
	suppressed, bucket.suppressed = bucket.suppressed, 0
	return suppressed, true
}

// writer is who is to be counted for a line, and what he may write.
func (e entry) writer() (string, lineBound) {
	switch {
	case e.workload.Pod.UID == "" || isUncounted(e.failure):
		return "source " + e.source, sourceLines
	case e.failure == nil:
		return "granted " + e.workload.Pod.UID, podLines
	}
	return "refused " + e.workload.Pod.UID, podLines
}

func (l *lineLimit) bucket(writer string, bound lineBound) *lineBucket {
	if bucket, found := l.buckets[writer]; found {
		return bucket
	}
	if l.buckets == nil {
		l.buckets = map[string]*lineBucket{}
	}
	if len(l.buckets) >= maxSources {
		writer, bound = "others", sourceLines
		if bucket, found := l.buckets[writer]; found {
			return bucket
		}
	}
	bucket := &lineBucket{limiter: rate.NewLimiter(bound.perSecond, bound.burst)}
	l.buckets[writer] = bucket
	return bucket
}

// isUncounted reports whether a request was refused before a pod's limit counted it, or for not being the pod's, so that
// nothing bounds how many there are.
func isUncounted(f *reply.Failure) bool {
	if f == nil {
		return false
	}
	switch f.Reason {
	case reply.ReasonUnauthenticated, reply.ReasonOtherNode, reply.ReasonOtherAddress, reply.ReasonThrottled:
		return true
	}
	return false
}
