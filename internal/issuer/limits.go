package issuer

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// PodLimits is what one pod may ask of the issuer, which is what its sidecar cannot answer from its cache. An application
// asks for few tokens; one that asks for more must not starve its node.
type PodLimits struct {
	// RequestsPerSecond is how often a pod may ask in the long run, Burst how often at once after it has been calm.
	RequestsPerSecond float64
	Burst             int

	// Concurrent is how many requests of a pod may be worked on at once, without those that are held.
	Concurrent int
}

// maxHeld is how many requests of a pod are held at once, until its grant changes. A sidecar has one of them, and another
// for a moment when its connection breaks.
const maxHeld = 4

// busyWait is how long to wait where too much is asked at once.
const busyWait = time.Second

// sweepEvery is how often pods that have been calm for long are forgotten.
const sweepEvery = time.Minute

// Limits bounds what each pod asks.
type Limits struct {
	bounds PodLimits
	now    func() time.Time

	mu    sync.Mutex
	pods  map[string]*usage
	swept time.Time

	// sources are what those ask who are not known yet.
	sources map[string]*usage
}

// usage is what one pod asks.
type usage struct {
	bucket *rate.Limiter

	// asking and held are how many requests are worked on, and held.
	asking, held int
}

// NewLimits makes limits that no pod has used yet.
func NewLimits(bounds PodLimits, now func() time.Time) *Limits {
	return &Limits{bounds: bounds, now: now, pods: map[string]*usage{}, swept: now(), sources: map[string]*usage{}}
}

// What a source address may ask before it is known whose it is, in times of what a pod may: requests that show no right
// token count here alone, and each costs a look at one.
const (
	unknownTimes = 4

	// maxUnknown bounds how many addresses are told apart. A node has at most some hundred pods; the others share.
	maxUnknown = 4096
)

// BeginUnknown lets a source address be authenticated, until it calls done, or tells why not. Then done does nothing.
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

// Begin lets the pod with a UID ask, until it calls done, or tells why not. Then done does nothing.
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

// Hold lets a request of the pod be held, until it calls done, or tells why not. Then done does nothing.
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
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		*number--
	})
}

func usageOf(all map[string]*usage, key string, bounds PodLimits) *usage {
	one, found := all[key]
	if !found {
		one = &usage{bucket: rate.NewLimiter(rate.Limit(bounds.RequestsPerSecond), bounds.Burst)}
		all[key] = one
	}
	return one
}

// sweep removes pods and sources that are calm or gone.
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
