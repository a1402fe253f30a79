package issuer

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// The limit of one pod: what its sidecar cannot answer from its cache. An application asks for few tokens; one that
// asks for more must not starve its node.
const (
	requestsPerSecond = 20
	burst             = 50
)

// Limits bounds how often each pod asks.
type Limits struct {
	now func() time.Time

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// NewLimits makes limits that no pod has used yet.
func NewLimits(now func() time.Time) *Limits {
	return &Limits{now: now, limiters: map[string]*rate.Limiter{}}
}

// Allow tells whether the pod with a UID may ask now.
func (l *Limits) Allow(uid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, found := l.limiters[uid]
	if !found {
		limiter = rate.NewLimiter(requestsPerSecond, burst)
		l.limiters[uid] = limiter
	}
	return limiter.AllowN(l.now(), 1)
}

// Forget drops what is kept of a pod that is gone.
func (l *Limits) Forget(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.limiters, uid)
}

// Handler forgets the pods that an informer says are gone, those among them whose end it missed.
func (l *Limits) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
		if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = missed.Obj
		}
		if pod, ok := object.(*corev1.Pod); ok {
			l.Forget(string(pod.UID))
		}
	}}
}
