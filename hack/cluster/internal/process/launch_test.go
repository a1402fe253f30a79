package process

import (
	"runtime"
	"strings"
	"testing"
)

func TestOnlyTheMainThreadBecomesADaemon(t *testing.T) {
	// Of two goroutines that keep their threads, one at least is not on the main one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	other := make(chan error)
	go func() {
		runtime.LockOSThread()
		other <- Launch("none", "", []string{"/bin/true"})
	}()
	for _, err := range []error{<-other, Launch("none", "", []string{"/bin/true"})} {
		if err != nil && strings.Contains(err.Error(), "main thread") {
			return
		}
		t.Logf("one thread: %v", err)
	}
	t.Error("two threads may become a daemon")
}
