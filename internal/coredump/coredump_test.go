package coredump

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestDisable(t *testing.T) {
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 1 {
		t.Fatalf("before: %d, error %v", dumpable, err)
	}
	if err := Disable(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) })
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("after: %d, error %v", dumpable, err)
	}
}
