package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// readyPath is where ready asks serve. IMDS has no such path.
	readyPath = "/kube-imds/ready"

	// issuerPatience is how long the pod's start waits for the issuer. Some clients never retry, so their first answer
	// should be a good one; but a pod must also start without the issuer.
	issuerPatience = 10 * time.Second
)

// readiness decides when applications may start.
type readiness struct {
	started  time.Time
	now      func() time.Time
	answered atomic.Bool

	// settled reports whether the file with the assertion is written, if there is to be one.
	settled atomic.Bool
}

// issuerAnswered records that the issuer answered.
func (r *readiness) issuerAnswered() { r.answered.Store(true) }

// assertionSettled records that applications find the assertion, or will not get one.
func (r *readiness) assertionSettled() { r.settled.Store(true) }

func (r *readiness) ready() bool {
	return r.answered.Load() && r.settled.Load() || r.now().Sub(r.started) >= issuerPatience
}

// before serves readyPath and passes everything else to next.
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
