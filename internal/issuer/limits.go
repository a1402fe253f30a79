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
	pods  map[asker]*usage
	swept time.Time

	// sources are the addresses of callers that are not authenticated yet.
	sources map[string]*usage
}

// asker is a pod at an address: a thief of its token elsewhere must not use up the pod's own share. Held requests count for the pod
// alone.
type asker struct{ podUID, source string }

// usage is what one pod uses.
type usage struct {
	bucket *rate.Limiter

	// asking and held count the requests in progress and the held ones.
	asking, held int
}

// NewLimits returns unused limits.
func NewLimits(bounds PodLimits, now func() time.Time) *Limits {
	return &Limits{bounds: bounds, now: now, pods: map[asker]*usage{}, swept: now(), sources: map[string]*usage{}}
}

// The limits of a source address before its pod is known, as a multiple of a pod's: requests without a valid token count
// here alone, and each costs a look at a token.
const (
	unknownTimes = 4

	// maxUnknown bounds the addresses. A node has some hundred pods at the most; all others share a limit.
	maxUnknown = 4096
)

// beginUnknown admits a request of a source address for a turn, or returns an error.
func (l *Limits) beginUnknown(source string) (turn, error) {
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

// beginPod admits a request of a pod for a turn, or returns an error.
func (l *Limits) beginPod(pod asker) (turn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	return l.begin(usageOf(l.pods, pod, l.bounds), l.bounds, now)
}

func (l *Limits) begin(by *usage, bounds PodLimits, now time.Time) (turn, error) {
	if by.asking >= bounds.Concurrent {
		return turn{}, failure.TooMany(busyWait)
	}
	if wait := take(by.bucket, now); wait > 0 {
		return turn{}, failure.TooMany(wait)
	}
	return l.count(&by.asking), nil
}

// hold admits a held request of a pod for a turn, or returns an error.
func (l *Limits) hold(uid string) (turn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pod := usageOf(l.pods, asker{podUID: uid}, l.bounds)
	if pod.held >= maxHeld {
		return turn{}, failure.TooMany(busyWait)
	}
	return l.count(&pod.held), nil
}

// turn is an admitted request. The zero turn is none.
type turn struct {
	limits *Limits
	counts *int
}

// count increments a counter until the turn ends.
func (l *Limits) count(number *int) turn {
	*number++
	return turn{l, number}
}

// end ends the turn, once.
func (t *turn) end() {
	if t.counts == nil {
		return
	}
	t.limits.mu.Lock()
	defer t.limits.mu.Unlock()
	*t.counts--
	t.counts = nil
}

func usageOf[K comparable](all map[K]*usage, key K, bounds PodLimits) *usage {
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
	isCalm := func(one *usage) bool { return one.asking == 0 && one.held == 0 && isFull(one.bucket, now) }
	maps.DeleteFunc(l.pods, func(_ asker, one *usage) bool { return isCalm(one) })
	maps.DeleteFunc(l.sources, func(_ string, one *usage) bool { return isCalm(one) })
}

// take takes a token out of a bucket, or returns how long until there is one.
func take(bucket *rate.Limiter, now time.Time) (wait time.Duration) {
	if bucket.AllowN(now, 1) {
		return 0
	}
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
