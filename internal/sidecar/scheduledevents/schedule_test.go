package scheduledevents

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

const createdOn = 1000

// cordon and deletion are two events.
var (
	cordon   = issuerapi.Event{ID: "AA-1", Type: "Redeploy", Source: "Platform", NotBefore: 2000, Description: "d"}
	deletion = issuerapi.Event{ID: "AA-2", Type: "Terminate", Source: "User", NotBefore: 3000, Description: "e"}
)

// issuer is a source with a test's events.
type issuer struct {
	events []issuerapi.Event
	err    error
}

func (i *issuer) Events(context.Context) (*issuerapi.Events, error) {
	if i.err != nil {
		return nil, i.err
	}
	return &issuerapi.Events{PodName: "orders-0", PodCreatedOn: createdOn, Events: i.events}, nil
}

// stage is a schedule, its issuer and its clock.
type stage struct {
	*testing.T
	*Schedule
	issuer *issuer
	now    time.Time
}

func newStage(t *testing.T) *stage {
	t.Parallel()
	s := &stage{T: t, issuer: &issuer{}, now: time.Unix(createdOn+60, 0)}
	s.restart()
	return s
}

// restart forgets what a container forgets.
func (s *stage) restart() { s.Schedule = New(s.issuer, func() time.Time { return s.now }) }

// want checks the incarnation and the status of each event.
func (s *stage) want(when string, incarnation int64, statuses ...string) {
	s.Helper()
	got, err := s.Events(s.Context())
	if err != nil {
		s.Fatalf("%s: %v", when, err)
	}
	var reported []string
	for _, event := range got.Events {
		status := event.ID + " scheduled"
		if event.Started {
			status = event.ID + " started"
		}
		reported = append(reported, status)
	}
	if got.Incarnation != incarnation || !slices.Equal(reported, statuses) {
		s.Errorf("%s: got %d %v, want %d %v", when, got.Incarnation, reported, incarnation, statuses)
	}
}

func (s *stage) acknowledge(ids ...string) {
	s.Helper()
	if err := s.StartEvents(s.Context(), ids); err != nil {
		s.Fatal(err)
	}
}

func TestEventsAreReported(t *testing.T) {
	s := newStage(t)
	s.issuer.events = []issuerapi.Event{cordon}
	got, err := s.Events(t.Context())
	want := &imds.Events{Incarnation: 60, Events: []imds.Event{{
		ID: "AA-1", Type: "Redeploy", Source: "Platform", Description: "d", Resource: "orders-0", NotBefore: time.Unix(2000, 0).UTC(),
	}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestIncarnationRisesWithEachChange(t *testing.T) {
	s := newStage(t)
	s.want("at first", 60)
	s.want("at once", 60)
	s.now = s.now.Add(time.Hour)
	s.want("an hour later", 60)
	s.issuer.events = []issuerapi.Event{cordon}
	s.want("with an event", 3660, "AA-1 scheduled")
	s.want("with the same", 3660, "AA-1 scheduled")
	later := cordon
	later.NotBefore++
	s.issuer.events = []issuerapi.Event{later}
	s.want("with a later one", 3661, "AA-1 scheduled")
	s.acknowledge("AA-1")
	s.want("acknowledged", 3662, "AA-1 started")
	s.acknowledge("AA-1")
	s.want("acknowledged again", 3662, "AA-1 started")
	s.now = s.now.Add(-time.Hour)
	s.issuer.events = nil
	s.want("gone, with the clock set back", 3663)
}

func TestIncarnationRisesOverARestart(t *testing.T) {
	s := newStage(t)
	s.issuer.events = []issuerapi.Event{cordon}
	s.want("at first", 60, "AA-1 scheduled")
	s.now = s.now.Add(time.Second)
	s.acknowledge("AA-1")
	s.want("acknowledged", 61, "AA-1 started")
	s.now = s.now.Add(time.Second)
	s.restart()
	s.want("after a restart", 62, "AA-1 scheduled")
}

func TestIncarnationIsPositive(t *testing.T) {
	s := newStage(t)
	s.now = time.Unix(createdOn-5, 0)
	s.want("by a clock that is behind", 1)
}

func TestAcknowledgementsAreKeptAsLongAsTheEvent(t *testing.T) {
	s := newStage(t)
	s.issuer.events = []issuerapi.Event{cordon, deletion}
	s.acknowledge("aa-2")
	s.want("acknowledged in lower case", 60, "AA-1 scheduled", "AA-2 started")
	s.issuer.events = []issuerapi.Event{cordon}
	s.want("without it", 61, "AA-1 scheduled")
	s.issuer.events = []issuerapi.Event{cordon, deletion}
	s.want("with it again", 62, "AA-1 scheduled", "AA-2 scheduled")
}

func TestUnknownEventsAreNotAcknowledged(t *testing.T) {
	s := newStage(t)
	s.issuer.events = []issuerapi.Event{cordon}
	if err := s.StartEvents(t.Context(), []string{"AA-1", "AA-2"}); !errors.Is(err, imds.ErrNoSuchEvent) {
		t.Errorf("got error %v", err)
	}
	s.want("after that", 60, "AA-1 scheduled")
}

func TestFailureOfTheSourceIsReturned(t *testing.T) {
	s := newStage(t)
	s.issuer.err = errors.New("away")
	if _, err := s.Events(t.Context()); !errors.Is(err, s.issuer.err) {
		t.Errorf("got error %v", err)
	}
	if err := s.StartEvents(t.Context(), []string{"AA-1"}); !errors.Is(err, s.issuer.err) {
		t.Errorf("got error %v", err)
	}
}

// A returned answer must not change: answers are rendered without a lock.
func TestReturnedEventsDoNotChange(t *testing.T) {
	s := newStage(t)
	s.issuer.events = []issuerapi.Event{cordon}
	reported, err := s.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() { s.acknowledge("AA-1") })
	}
	asking.Wait()
	if reported.Events[0].Started {
		t.Error("the returned events changed")
	}
	s.want("acknowledged", 61, "AA-1 started")
}
