package directory

import "testing"

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
			one, other := changes.Next(), changes.Next()
			if isClosed(one) || isClosed(other) {
				t.Fatal("a change is told before there was one")
			}
			change(changes)
			if !isClosed(one) || !isClosed(other) {
				t.Error("the change is not told to all who wait")
			}
			if isClosed(changes.Next()) {
				t.Error("the change is told to one who came later")
			}
		})
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
