package process

import (
	"runtime"
	"strings"
	"testing"
)

func TestLaunchNeedsTheMainThread(t *testing.T) {
	// Of two goroutines locked to different threads, at least one is not on the main thread.
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
		t.Logf("Launch: %v", err)
	}
	t.Error("two threads can launch a daemon")
}
