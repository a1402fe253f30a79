package published

import (
	"sync/atomic"

	"github.com/go-logr/logr"
)

// Latest is what is published now, as far as it is known. What cannot be read, and a ConfigMap that is gone, leave what was
// known: that is no reason to stop verifying or signing tokens.
type Latest struct {
	// OnChange is told of what is published, and of what was before; nil if nothing was known.
	OnChange func(before, now *Published)

	Log logr.Logger

	current atomic.Pointer[Published]
}

// Current is what is published; nil while that is not known.
func (l *Latest) Current() *Published { return l.current.Load() }

// Tell tells of a ConfigMap's data.
func (l *Latest) Tell(data map[string]string) {
	now, err := Read(data)
	if err != nil {
		l.Log.Error(err, "cannot tell which keys are published; those that are known stay")
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
