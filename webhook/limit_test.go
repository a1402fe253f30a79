package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReviewSizeIsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int64
		want int
	}{
		"empty":          {0, http.StatusOK},
		"usual":          {10 << 10, http.StatusOK},
		"largest":        {maxReview, http.StatusOK},
		"too large":      {maxReview + 1, http.StatusRequestEntityTooLarge},
		"unknown length": {-1, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := false
			handler := newLimit().around(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
			request := httptest.NewRequest(http.MethodPost, "/pods", io.NopCloser(strings.NewReader("")))
			request.ContentLength = test.size
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != test.want || asked != (test.want == http.StatusOK) {
				t.Errorf("status = %d, passed on: %t", recorder.Code, asked)
			}
		})
	}
}

// Two large reviews are too much: the second waits, gives up, and gets 503 with Retry-After; the next one finds room.
func TestReviewsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	l := newLimit()
	l.wait = time.Millisecond
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := l.around(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	ask := func(size int64) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, "/pods", nil)
		request.ContentLength = size
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder
	}
	first := make(chan int, 1)
	go func() { first <- ask(maxReview).Code }()
	<-entered
	if busy := ask(1); busy.Code != http.StatusServiceUnavailable || busy.Header().Get("Retry-After") == "" {
		t.Errorf("without room: got %d %v", busy.Code, busy.Header())
	}
	leave <- struct{}{}
	if got := <-first; got != http.StatusOK {
		t.Errorf("first review: status = %d", got)
	}

	// Small ones are handled concurrently.
	l.wait = queueTime
	const together = reviewBytes / smallReview
	answers := make(chan int, together)
	for range together {
		go func() { answers <- ask(100).Code }()
	}
	for range together {
		select {
		case <-entered:
		case got := <-answers:
			t.Fatalf("small review: status = %d before it was passed on", got)
		}
	}
	close(leave)
	for range together {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("small review: status = %d", got)
		}
	}
}
