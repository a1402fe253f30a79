package issuer

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// PodLimits bounds the requests of one pod, which are those that its sidecar cannot answer from its cache. Applications ask
// for few tokens; one that asks for many must not starve its node.
type PodLimits struct {
	// RequestsPerSecond is the sustained rate of a pod, and Burst what it may ask at once after a pause.
	RequestsPerSecond float64
	Burst             int

	// Concurrent bounds the requests of a pod in progress, without held ones.
	Concurrent int
}

// maxHeld bounds the held requests of a pod. A sidecar has one, and a second one for a moment when its connection breaks.
const maxHeld = 4

// busyWait is the Retry-After of too many concurrent requests.
const busyWait = time.Second

// sweepEvery is how often idle pods are dropped.
const sweepEvery = time.Minute

// Limits limits the requests of each pod.
type Limits struct {
	bounds PodLimits
	now    func() time.Time

	mu    sync.Mutex
	pods  map[string]*usage
	swept time.Time

	// sources are the addresses of callers that are not authenticated yet.
	sources map[string]*usage
}

// usage is what one pod uses.
type usage struct {
	bucket *rate.Limiter

	// asking and held count the requests in progress and the held ones.
	asking, held int
}

// NewLimits returns unused limits.
func NewLimits(bounds PodLimits, now func() time.Time) *Limits {
	return &Limits{bounds: bounds, now: now, pods: map[string]*usage{}, swept: now(), sources: map[string]*usage{}}
}

// The limits of a source address before its pod is known, as a multiple of a pod's: requests without a valid token count
// here alone, and each costs a look at a token.
const (
	unknownTimes = 4

	// maxUnknown bounds the addresses. A node has some hundred pods at the most; all others share a limit.
	maxUnknown = 4096
)

// BeginUnknown admits a request of a source address until done, or returns an error and a done that does nothing.
func (l *Limits) BeginUnknown(source string) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	if len(l.sources) >= maxUnknown && l.sources[source] == nil {
		source = ""
	}
	bounds := l.bounds
	bounds.RequestsPerSecond *= unknownTimes
	bounds.Burst *= unknownTimes
	return l.begin(usageOf(l.sources, source, bounds), bounds, now)
}

// Begin admits a request of a pod until done, or returns an error and a done that does nothing.
func (l *Limits) Begin(uid string) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	return l.begin(usageOf(l.pods, uid, l.bounds), l.bounds, now)
}

func (l *Limits) begin(asker *usage, bounds PodLimits, now time.Time) (done func(), err error) {
	if asker.asking >= bounds.Concurrent {
		return nothing, failure.TooMany(busyWait)
	}
	if wait := take(asker.bucket, now); wait > 0 {
		return nothing, failure.TooMany(wait)
	}
	return l.count(&asker.asking), nil
}

// Hold admits a held request of a pod until done, or returns an error and a done that does nothing.
func (l *Limits) Hold(uid string) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pod := usageOf(l.pods, uid, l.bounds)
	if pod.held >= maxHeld {
		return nothing, failure.TooMany(busyWait)
	}
	return l.count(&pod.held), nil
}

func nothing() {}

// count increments a counter until done.
func (l *Limits) count(number *int) (done func()) {
	*number++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if number != nil {
			*number--
			number = nil
		}
	}
}

func usageOf(all map[string]*usage, key string, bounds PodLimits) *usage {
	one, found := all[key]
	if !found {
		one = &usage{bucket: rate.NewLimiter(rate.Limit(bounds.RequestsPerSecond), bounds.Burst)}
		all[key] = one
	}
	return one
}

// sweep drops pods and sources that are idle or gone.
func (l *Limits) sweep(now time.Time) {
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	isCalm := func(_ string, one *usage) bool { return one.asking == 0 && one.held == 0 && isFull(one.bucket, now) }
	maps.DeleteFunc(l.pods, isCalm)
	maps.DeleteFunc(l.sources, isCalm)
}

// take takes a token out of a bucket, or returns how long until there is one.
func take(bucket *rate.Limiter, now time.Time) (wait time.Duration) {
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// isFull reports whether a bucket is as good as new.
func isFull(bucket *rate.Limiter, now time.Time) bool {
	return bucket.TokensAt(now) >= float64(bucket.Burst())
}
