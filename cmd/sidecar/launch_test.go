package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// launchVariable carries a launchSpec to the test binary's own copy of itself.
const launchVariable = "SIDECAR_TEST_LAUNCH"

// launchSpec is how a container runtime is told to start a container, as far as it matters here.
type launchSpec struct {
	Program string
	User    int

	// Capabilities are a bit mask: those of the bounding set, and those that are permitted and effective before
	// exec. None are inheritable or ambient, as with Kubernetes.
	Capabilities uint32
}

// launch does what runc does between clone and exec for a container with allowPrivilegeEscalation: false. It does
// not return.
func launch() {
	runtime.LockOSThread()
	var spec launchSpec
	err := json.Unmarshal([]byte(os.Getenv(launchVariable)), &spec)
	if err == nil {
		err = becomeContainer(spec)
	}
	if err == nil {
		err = unix.Exec(spec.Program, append([]string{spec.Program}, os.Args[1:]...), nil)
	}
	fmt.Fprintln(os.Stderr, "launch:", err)
	os.Exit(2)
}

func becomeContainer(spec launchSpec) error {
	for capability := range unix.CAP_LAST_CAP + 1 {
		if capability >= 32 || spec.Capabilities&(1<<capability) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0); err != nil {
				return fmt.Errorf("drop capability %d from the bounding set: %w", capability, err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	// The raw calls, which change this thread alone: it is the one that execs.
	for _, set := range []uintptr{unix.SYS_SETGID, unix.SYS_SETUID} {
		if _, _, errno := unix.RawSyscall(set, uintptr(spec.User), 0, 0); errno != 0 {
			return fmt.Errorf("become user %d: %w", spec.User, errno)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	sets := [2]unix.CapUserData{{Permitted: spec.Capabilities, Effective: spec.Capabilities}}
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
