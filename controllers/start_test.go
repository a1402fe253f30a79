package controllers

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestAfterStartPassesAllButTheInitialList(t *testing.T) {
	t.Parallel()
	if afterStart.Create(event.CreateEvent{IsInInitialList: true}) {
		t.Error("what is there at the start is looked up")
	}
	if !afterStart.Create(event.CreateEvent{}) || !afterStart.Update(event.UpdateEvent{}) || !afterStart.Delete(event.DeleteEvent{}) {
		t.Error("a change is missed")
	}
}
