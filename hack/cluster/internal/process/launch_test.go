package process

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnlyTheMainThreadBecomesADaemon(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if unix.Gettid() == unix.Getpid() {
		t.Skip("this test was given the main thread")
	}
	if err := Launch("none", "", []string{"/bin/true"}); err == nil || !strings.Contains(err.Error(), "main thread") {
		t.Errorf("another thread: %v", err)
	}
}
