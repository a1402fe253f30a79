package webhook

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// What reviews may cost.
const (
	// maxReview is the size of a review, in bytes. etcd takes objects of 1.5 MiB: as JSON, a pod is twice that at the
	// most, and a change of a custom resource, which is kept as JSON, is two objects. The rest is for who asks. An API
	// server sends more only of what it could not store: 3 MB of empty containers become 100 MB when it sets their
	// defaults.
	maxReview = 3<<20 + 512<<10

	// reviewBytes is how many bytes of reviews are worked on at the same time. Small ones count as smallReview.
	reviewBytes = maxReview
	smallReview = 16 << 10

	// queueTime is how long a review may wait for its turn.
	queueTime = 3 * time.Second
)

// limit bounds what is read and worked on at a time.
type limit struct {
	bytes *semaphore.Weighted
	wait  time.Duration
}

func newLimit() *limit {
	return &limit{semaphore.NewWeighted(reviewBytes), queueTime}
}

// around lets requests through to the handler as there is room for them. What is too large gets 413, and what has waited
// for too long gets 503.
func (l *limit) around(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		size := request.ContentLength
		if size < 0 || size > maxReview {
			refuse(refusedLarge)
			writer.Header().Set("Connection", "close")
			http.Error(writer, "the review is larger than what can be stored", http.StatusRequestEntityTooLarge)
			return
		}
		weight := max(size, smallReview)
		queued, cancel := context.WithTimeout(request.Context(), l.wait)
		defer cancel()
		if l.bytes.Acquire(queued, weight) != nil {
			refuse(refusedBusy)
			writer.Header().Set("Retry-After", "1")
			http.Error(writer, "too many pods are being admitted: try again", http.StatusServiceUnavailable)
			return
		}
		defer l.bytes.Release(weight)
		handler.ServeHTTP(writer, request)
	})
}
