package podnet

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrNoNetAdmin is the error of a process without NET_ADMIN.
var ErrNoNetAdmin = errors.New("the capability NET_ADMIN is missing: the container needs " +
	"securityContext.capabilities.add: [NET_ADMIN], and as another user than root the file capability " +
	"cap_net_admin+p on its binary, as in kube-imds's own image")

// withNetAdmin calls do with the capability NET_ADMIN in effect.
//
// A container that does not run as root keeps an added capability through exec only by a file capability. That one is
// permitted instead of effective, because the same binary also runs without any capability, and the kernel would then
// refuse an effective one.
func withNetAdmin(do func() error) error {
	// Capabilities belong to threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("read the process's capabilities: %w", err)
	}
	const netAdmin = 1 << unix.CAP_NET_ADMIN
	if sets[0].Permitted&netAdmin == 0 {
		return ErrNoNetAdmin
	}
	if sets[0].Effective&netAdmin == 0 {
		sets[0].Effective |= netAdmin
		if err := unix.Capset(&header, &sets[0]); err != nil {
			return fmt.Errorf("put the capability NET_ADMIN into effect: %w", err)
		}
	}
	return do()
}
