package published

import (
	"sync/atomic"

	"github.com/go-logr/logr"
)

// Latest is the newest published state. Unreadable data or a missing ConfigMap leave the state before: verifying and
// signing go on.
type Latest struct {
	// OnChange is called with the new state and the one before, which is nil at first.
	OnChange func(before, now *Published)

	Log logr.Logger

	current atomic.Pointer[Published]
}

// Current returns the published state; nil while it is unknown.
func (l *Latest) Current() *Published { return l.current.Load() }

// Update takes over a ConfigMap's data.
func (l *Latest) Update(data map[string]string) {
	now, err := Read(data)
	if err != nil {
		l.Log.Error(err, "read the published keys failed; keeping the known ones")
		return
	}
	if now == nil {
		return
	}
	before := l.current.Swap(now)
	if l.OnChange != nil {
		l.OnChange(before, now)
	}
}
