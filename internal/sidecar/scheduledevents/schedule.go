package scheduledevents

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.EventSource = (*Schedule)(nil)

// Source returns the pod's disruptions.
type Source interface {
	Events(ctx context.Context) (*issuerapi.Events, error)
}

// Schedule holds the pod's scheduled events.
type Schedule struct {
	source Source
	now    func() time.Time

	// mu is held during a request, so that the newest answer is the last one returned.
	mu sync.Mutex

	// last is the last answer; nil before the first one.
	last *imds.Events

	// acknowledged are the IDs of acknowledged events that still exist.
	acknowledged []string
}

// New returns a schedule without acknowledgements.
func New(source Source, now func() time.Time) *Schedule {
	return &Schedule{source: source, now: now}
}

// Events returns the source's events. Acknowledged ones have started.
func (s *Schedule) Events(ctx context.Context) (*imds.Events, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.source.Events(ctx)
	if err != nil {
		return nil, err
	}
	return s.tell(answer), nil
}

// StartEvents acknowledges events. It hastens nothing in the cluster.
func (s *Schedule) StartEvents(ctx context.Context, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.source.Events(ctx)
	if err != nil {
		return err
	}
	var acknowledged []string
	for _, id := range ids {
		i := slices.IndexFunc(answer.Events, func(event issuerapi.Event) bool { return strings.EqualFold(event.ID, id) })
		if i < 0 {
			return imds.ErrNoSuchEvent
		}
		acknowledged = append(acknowledged, answer.Events[i].ID)
	}
	s.acknowledged = append(s.acknowledged, acknowledged...)
	s.tell(answer)
	return nil
}

// tell returns the events in IMDS's form, with a new incarnation if they have changed.
func (s *Schedule) tell(answer *issuerapi.Events) *imds.Events {
	s.acknowledged = slices.DeleteFunc(s.acknowledged, func(id string) bool {
		return !slices.ContainsFunc(answer.Events, func(event issuerapi.Event) bool { return event.ID == id })
	})
	events := make([]imds.Event, len(answer.Events))
	for i, event := range answer.Events {
		events[i] = imds.Event{
			ID: event.ID, Type: event.Type, Source: event.Source, Description: event.Description,
			Resource: answer.PodName, NotBefore: time.Unix(event.NotBefore, 0).UTC(),
			Started: slices.Contains(s.acknowledged, event.ID),
		}
	}
	if s.last == nil || !slices.Equal(events, s.last.Events) {
		s.last = &imds.Events{Incarnation: s.nextIncarnation(answer), Events: events}
	}
	return s.last
}

// nextIncarnation returns at least the pod's age in seconds, so that it also increases after a restart of the sidecar's
// container, which remembers nothing, as long as there is less than one change a second.
func (s *Schedule) nextIncarnation(answer *issuerapi.Events) int64 {
	var last int64
	if s.last != nil {
		last = s.last.Incarnation
	}
	return max(last+1, s.now().Unix()-answer.PodCreatedOn)
}
