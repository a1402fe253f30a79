package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// spaced enqueues what objects are mapped to: the first time at once, and while changes keep coming once an interval. A binding of all
// ServiceAccounts concerns its identities with each one that comes or goes, and counting them again costs as much as there are.
type spaced struct {
	interval time.Duration
	now      func() time.Time

	mutex sync.Mutex

	// turns are the last times that requests were enqueued for, which may be ahead, and swept is when old ones were forgotten.
	turns map[ctrl.Request]time.Time
	swept time.Time
}

func newSpaced(interval time.Duration, now func() time.Time) *spaced {
	return &spaced{interval: interval, now: now, turns: map[ctrl.Request]time.Time{}}
}

// handler returns a handler of objects that are mapped by a function.
func (s *spaced) handler(mapped handler.MapFunc) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]
	enqueue := func(ctx context.Context, to queue, objects ...client.Object) {
		seen := map[ctrl.Request]bool{}
		for _, object := range objects {
			for _, request := range mapped(ctx, object) {
				if !seen[request] {
					to.AddAfter(request, s.delay(request))
				}
				seen[request] = true
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, to queue) { enqueue(ctx, to, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, to queue) { enqueue(ctx, to, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, to queue) { enqueue(ctx, to, e.Object) },
	}
}

// delay returns how long a request must wait for its next turn.
func (s *spaced) delay(request ctrl.Request) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	s.forget(now)
	turn := s.turns[request]
	if !turn.After(now) {
		if turn = turn.Add(s.interval); turn.Before(now) {
			turn = now
		}
		s.turns[request] = turn
	}
	return turn.Sub(now)
}

// forget removes, once an interval, the turns after which an interval has passed.
func (s *spaced) forget(now time.Time) {
	if now.Sub(s.swept) < s.interval {
		return
	}
	s.swept = now
	for request, turn := range s.turns {
		if now.Sub(turn) >= s.interval {
			delete(s.turns, request)
		}
	}
}
