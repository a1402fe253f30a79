package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReviewsOfAnySizeAreReadAndNoLarger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int64
		want int
	}{
		"none":                  {0, http.StatusOK},
		"a common one":          {10 << 10, http.StatusOK},
		"the largest":           {maxReview, http.StatusOK},
		"a larger one":          {maxReview + 1, http.StatusRequestEntityTooLarge},
		"one of unknown length": {-1, http.StatusRequestEntityTooLarge},
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
				t.Errorf("it is answered with %d; the webhook is asked: %t", recorder.Code, asked)
			}
		})
	}
}

// While two large ones would be too much, one waits, gives up, and is told to come again; the next finds room.
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
		t.Errorf("while there is no room, the answer is %d %v", busy.Code, busy.Header())
	}
	leave <- struct{}{}
	if got := <-first; got != http.StatusOK {
		t.Errorf("the first one is answered with %d", got)
	}

	// Small ones are worked on together.
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
			t.Fatalf("a small one is answered with %d before it has entered", got)
		}
	}
	close(leave)
	for range together {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("a small one is answered with %d", got)
		}
	}
}
