package issuerclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestEventsAreRead(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, `{"pod_name":"p","pod_created_on":7,"events":[{"id":"I","type":"Preempt","source":"User","not_before":9,"description":"d"}]}`)
	}).client(t)
	got, err := client.Events(t.Context())
	want := &issuerapi.Events{PodName: "p", PodCreatedOn: 7, Events: []issuerapi.Event{
		{ID: "I", Type: "Preempt", Source: "User", NotBefore: 9, Description: "d"},
	}}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

// events is a source that counts its questions.
type events struct {
	asked int
	err   error
}

func (s *events) Events(context.Context) (*issuerapi.Events, error) {
	s.asked++
	return &issuerapi.Events{PodCreatedOn: int64(s.asked)}, s.err
}

func TestEventsAreAskedForOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &events{err: errors.New("away")}
		cache := NewEventCache(source, time.Now)
		if _, err := cache.Events(t.Context()); !errors.Is(err, source.err) {
			t.Errorf("before the first answer: %v", err)
		}
		time.Sleep(failurePause)
		source.err = nil
		for _, step := range []struct {
			later time.Duration
			err   error
			known int64
		}{{0, nil, 2}, {time.Second - 1, nil, 2}, {1, nil, 3}, {time.Minute, errors.New("away"), 3}, {time.Minute, nil, 5}} {
			time.Sleep(step.later)
			source.err = step.err
			if got, err := cache.Events(t.Context()); err != nil || got.PodCreatedOn != step.known {
				t.Errorf("after another %s: %+v, %v; not answer %d", step.later, got, err, step.known)
			}
		}
	})
}
