package controllers

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// While ServiceAccounts keep coming and going, an identity is enqueued once an interval, and other identities are not in its way.
func TestSpacedEnqueuesOnceAnInterval(t *testing.T) {
	t.Parallel()
	const interval = time.Second
	start := time.Now()
	now := start
	spaced := newSpaced(interval, func() time.Time { return now })
	handler := spaced.handler(func(_ context.Context, object client.Object) []ctrl.Request {
		return requestsFor([]string{object.GetNamespace()})
	})
	queue := &turns{at: map[string][]time.Duration{}, now: func() time.Duration { return now.Sub(start) }}
	account := func(namespace string) client.Object {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	}
	for passed := time.Duration(0); passed < 3*interval; passed += interval / 20 {
		now = start.Add(passed)
		handler.Create(t.Context(), event.CreateEvent{Object: account("shop")}, queue)
		handler.Delete(t.Context(), event.DeleteEvent{Object: account("shop")}, queue)
		if passed == interval/2 {
			handler.Update(t.Context(), event.UpdateEvent{ObjectOld: account("den"), ObjectNew: account("yard")}, queue)
			handler.Update(t.Context(), event.UpdateEvent{ObjectOld: account("same"), ObjectNew: account("same")}, queue)
		}
	}
	now = start.Add(10 * interval)
	handler.Create(t.Context(), event.CreateEvent{Object: account("shop")}, queue)
	for namespace, want := range map[string][]time.Duration{
		"shop": {0, interval, 2 * interval, 3 * interval, 10 * interval},
		"den":  {interval / 2}, "yard": {interval / 2}, "same": {interval / 2},
	} {
		if got := queue.at[namespace]; !slices.Equal(got, want) {
			t.Errorf("%s is enqueued for %v, want %v", namespace, got, want)
		}
	}
	if len(spaced.turns) != 1 {
		t.Errorf("%d turns are remembered", len(spaced.turns))
	}
}

// turns is a queue that remembers when requests are for, each time once, as a queue does.
type turns struct {
	workqueue.TypedRateLimitingInterface[ctrl.Request]
	at  map[string][]time.Duration
	now func() time.Duration
}

func (q *turns) AddAfter(request ctrl.Request, delay time.Duration) {
	if turn := q.now() + delay; !slices.Contains(q.at[request.Name], turn) {
		q.at[request.Name] = append(q.at[request.Name], turn)
	}
}
