package directory

import (
	"fmt"
	"testing"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Changes){
		"notify":  func(c *Changes) { c.Notify() },
		"added":   func(c *Changes) { c.Handler().OnAdd(nil, false) },
		"updated": func(c *Changes) { c.Handler().OnUpdate(nil, nil) },
		"deleted": func(c *Changes) { c.Handler().OnDelete(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := NewChanges()
			one, other, pod := changes.Next(), changes.Next(), changes.Of("pod")
			if isClosed(one) || isClosed(other) || isClosed(pod) {
				t.Fatal("a change is reported before there was one")
			}
			change(changes)
			if !isClosed(one) || !isClosed(other) || !isClosed(pod) {
				t.Error("the change does not wake all waiters")
			}
			if isClosed(changes.Next()) || isClosed(changes.Of("pod")) {
				t.Error("the change wakes a later waiter")
			}
		})
	}
}

func TestChangeOfAPodWakesItsWaiters(t *testing.T) {
	t.Parallel()
	changes := NewChanges()
	one, another, other, all := changes.Of("pod"), changes.Of("pod"), changes.Of("other"), changes.Next()
	changes.NotifyPod("pod")
	changes.NotifyPod("unknown")
	if !isClosed(one) || !isClosed(another) {
		t.Error("the change does not wake all waiters of the pod")
	}
	if isClosed(other) || isClosed(all) || isClosed(changes.Of("pod")) {
		t.Error("the change wakes waiters of other pods")
	}
}

func TestAwaitedPodsAreBounded(t *testing.T) {
	t.Parallel()
	changes := NewChanges()
	first := changes.Of("first")
	for n := range maxWaited {
		changes.Of(fmt.Sprint(n))
	}
	if len(changes.pods) > maxWaited {
		t.Errorf("%d pods are waited for", len(changes.pods))
	}
	if !isClosed(first) {
		t.Error("a waiter is forgotten")
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
