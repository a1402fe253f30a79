package entra

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// Each step of a case changes what the issuer publishes, lets time pass, and asks.
func TestCachedKeys(t *testing.T) {
	t.Parallel()
	type step struct {
		after   time.Duration
		publish []string // nil: as before; empty: nothing can be read
		key     string
		want    int // an AADSTS code, or 0 for a token
		reads   int // of the document, since the start
	}
	for name, test := range map[string]struct {
		age, pause time.Duration
		steps      []step
	}{
		"not cached": {0, 0, []step{
			{0, nil, "one", 0, 1}, {0, nil, "one", 0, 2},
			{0, []string{"two"}, "one", 7000272, 3}, {0, nil, "two", 0, 4},
			{0, []string{}, "two", 90061, 4},
		}},
		"cached for an hour": {time.Hour, 0, []step{
			{0, nil, "one", 0, 1}, {59 * time.Minute, []string{"two"}, "one", 0, 1},
			{time.Minute, nil, "one", 7000272, 2},
		}},
		"unknown key is read at once": {time.Hour, 0, []step{
			{0, nil, "one", 0, 1}, {0, nil, "two", 7000272, 2}, {0, []string{"one", "two"}, "two", 0, 3}, {0, nil, "one", 0, 3},
		}},
		"unknown key is read after a pause": {time.Hour, time.Minute, []step{
			{0, nil, "one", 0, 1}, {0, []string{"one", "two"}, "two", 7000272, 1},
			{59 * time.Second, nil, "two", 7000272, 1}, {time.Second, nil, "two", 0, 2},
		}},
		"cached keys outlive an outage": {time.Hour, 0, []step{
			{0, nil, "one", 0, 1}, {time.Minute, []string{}, "one", 0, 1}, {0, nil, "two", 7000272, 1}, {0, nil, "one", 0, 1},
			{time.Hour, nil, "one", 90061, 1}, {0, []string{"one"}, "one", 0, 2},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.KeysAge, w.KeysPause = test.age, test.pause
			for n, step := range test.steps {
				w.clock.advance(step.after)
				if step.publish != nil {
					w.website.publish(step.publish...)
				}
				got := w.ask(t, signedBy(step.key))
				if got.code() != step.want || (got.status == http.StatusOK) != (step.want == 0) {
					t.Errorf("step %d: got %d %s", n, got.status, got.raw)
				}
				if reads := w.website.readsNow(); reads != step.reads {
					t.Errorf("step %d: the document was read %d times, want %d", n, reads, step.reads)
				}
			}
		})
	}
}

func TestRequestsShareARead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.KeysAge = time.Hour
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			if got, err := w.try(t); err != nil || got.status != http.StatusOK {
				t.Errorf("got %d %s, %v", got.status, got.raw, err)
			}
		})
	}
	asking.Wait()
	if reads := w.website.readsNow(); reads != 1 {
		t.Errorf("the document was read %d times, want once", reads)
	}
	if stats := w.Stats(); stats.Reads != 1 || stats.ReadError != "" {
		t.Errorf("stats = %+v", stats)
	}
	w.clock.advance(time.Hour)
	w.website.publish()
	w.ask(t)
	if stats := w.Stats(); stats.Reads != 2 || stats.ReadError == "" {
		t.Errorf("after an outage, stats = %+v", stats)
	}
}
