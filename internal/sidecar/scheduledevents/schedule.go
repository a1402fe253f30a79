// Package scheduledevents keeps what the issuer does not: which of the pod's events were acknowledged, and how often the
// whole has changed. It keeps them as long as the sidecar's container runs.
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

// Source tells what is to become of the pod.
type Source interface {
	Events(ctx context.Context) (*issuerapi.Events, error)
}

// Schedule is the pod's scheduled events.
type Schedule struct {
	source Source
	now    func() time.Time

	// mu is held while asking, so that of two answers the newer is told last.
	mu sync.Mutex

	// told is what was told last; nil before the first time.
	told *imds.Events

	// acknowledged are the IDs of events that were let begin. Those that are gone are not among them.
	acknowledged []string
}

// New makes a schedule in which nothing was acknowledged.
func New(source Source, now func() time.Time) *Schedule {
	return &Schedule{source: source, now: now}
}

// Events are those that the source tells of. Those that were acknowledged have begun.
func (s *Schedule) Events(ctx context.Context) (*imds.Events, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.source.Events(ctx)
	if err != nil {
		return nil, err
	}
	return s.tell(answer), nil
}

// StartEvents acknowledges events. Nothing in the cluster is hastened by it.
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

// tell notes what is told from now on.
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
	if s.told == nil || !slices.Equal(events, s.told.Events) {
		s.told = &imds.Events{Incarnation: s.nextIncarnation(answer), Events: events}
	}
	return s.told
}

// nextIncarnation is the pod's age in seconds, or more. So it rises too when the sidecar's container has restarted
// and remembers nothing, as long as there is not more than one change a second.
func (s *Schedule) nextIncarnation(answer *issuerapi.Events) int64 {
	var last int64
	if s.told != nil {
		last = s.told.Incarnation
	}
	return max(last+1, s.now().Unix()-answer.PodCreatedOn)
}
