// Package coredump keeps tokens, assertions and keys out of core dumps.
package coredump

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Disable keeps the memory of this process out of core dumps. Other processes of the same user can then read it neither by a
// debugger nor in /proc (ptrace(2), "Ptrace access mode checking").
func Disable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("disable core dumps: %w", err)
	}
	return nil
}
