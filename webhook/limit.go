package webhook

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// The bounds of reviews.
const (
	// maxReview bounds a review, in bytes. etcd takes objects of 1.5 MiB. As JSON a pod is twice that at the most, and an
	// update of a custom resource, which is stored as JSON, contains two objects. The rest is for the user's data. The API
	// server sends more only of what it could not store: 3 MB of empty containers become 100 MB with their defaults.
	maxReview = 3<<20 + 512<<10

	// reviewBytes bounds all reviews in progress, in bytes. Small ones count as smallReview.
	reviewBytes = maxReview
	smallReview = 16 << 10

	// queueTime bounds how long a review waits for its turn.
	queueTime = 3 * time.Second
)

// limit bounds the reviews in progress.
type limit struct {
	bytes *semaphore.Weighted
	wait  time.Duration
}

func newLimit() *limit {
	return &limit{semaphore.NewWeighted(reviewBytes), queueTime}
}

// around passes on requests as there is room for them. Too large ones get 413, and those that waited too long 503.
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
