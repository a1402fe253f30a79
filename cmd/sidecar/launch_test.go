package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchVariable carries a launchSpec to the test binary's own copy of itself.
const launchVariable = "SIDECAR_TEST_LAUNCH"

// launchSpec is the part of a container's specification that matters here.
type launchSpec struct {
	Program     string
	User        int
	Environment []string

	// Capabilities are a bit mask: those of the bounding set, and those that are permitted and effective before
	// exec. None are inheritable or ambient, as with Kubernetes.
	Capabilities uint32

	// WithoutNetfilter simulates a kernel without nf_tables, which has no such netlink family.
	WithoutNetfilter bool
}

// command returns a command that launches as the spec says.
func (s launchSpec) command(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	setting, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	command.Env = append(os.Environ(), launchVariable+"="+string(setting))
	return command
}

// inNamespace runs f on a thread in a new network namespace. Both end with it.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked, so that the thread is not reused.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("make a network namespace: %v", err)
			return
		}
		f()
	}()
	<-done
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
		err = unix.Exec(spec.Program, append([]string{spec.Program}, os.Args[1:]...), spec.Environment)
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
	// The raw calls change only this thread, which is the one that execs.
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
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if spec.WithoutNetfilter {
		return refuseNetfilter()
	}
	return nil
}

// refuseNetfilter makes socket(…, …, NETLINK_NETFILTER) fail as without nfnetlink, by seccomp.
func refuseNetfilter() error {
	const (
		loadWord  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jumpEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		give      = unix.BPF_RET | unix.BPF_K

		// The offsets in struct seccomp_data of linux/seccomp.h of the system call's number and the low half of its third argument.
		number, protocol = 0, 32
	)
	program := []unix.SockFilter{
		{Code: loadWord, K: number},
		{Code: jumpEqual, K: unix.SYS_SOCKET, Jf: 3},
		{Code: loadWord, K: protocol},
		{Code: jumpEqual, K: unix.NETLINK_NETFILTER, Jf: 1},
		{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}
