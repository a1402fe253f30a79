package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// readyPath is where ready asks serve. It is outside of what IMDS has.
	readyPath = "/kube-imds/ready"

	// issuerPatience is how long the pod's start waits for the issuer. Some clients never retry, so the first answer
	// should be a good one; but a pod must start without the issuer too.
	issuerPatience = 10 * time.Second
)

// readiness tells whether applications may start.
type readiness struct {
	started  time.Time
	now      func() time.Time
	answered atomic.Bool
}

// issuerAnswered notes that the issuer answered.
func (r *readiness) issuerAnswered() { r.answered.Store(true) }

func (r *readiness) ready() bool {
	return r.answered.Load() || r.now().Sub(r.started) >= issuerPatience
}

// before answers readyPath, and leaves all else to next.
func (r *readiness) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case request.RequestURI != readyPath:
			next.ServeHTTP(w, request)
		case r.ready():
			w.WriteHeader(http.StatusNoContent)
		default:
			http.Error(w, "the issuer has not answered yet", http.StatusServiceUnavailable)
		}
	})
}
