package network

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// newNamespace makes a network namespace on a file, as a cluster does, in a folder of the test's own.
func newNamespace(t *testing.T) (path string) {
	t.Helper()
	needRoot(t)
	path = filepath.Join(t.TempDir(), "ns")
	if err := makeAt(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for unix.Unmount(path, unix.MNT_DETACH) == nil {
		}
	})
	return path
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
}

// bystander starts a process in a mount namespace of its own, as `ip netns exec` does, and ends it with the test. It
// waits until the process is what it shall be.
func bystander(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	process := exec.Command(command[0], command[1:]...)
	process.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); commandOf(procOf(process)) != "sleep 600"; {
		if time.Now().After(deadline) {
			t.Fatalf("the process is still %q", commandOf(procOf(process)))
		}
	}
	return process
}

func procOf(process *exec.Cmd) string { return fmt.Sprintf("/proc/%d", process.Process.Pid) }

// cover mounts a folder on itself with all that is in it, as the first `ip netns add` of a machine does.
func cover(t *testing.T, folder string) {
	t.Helper()
	for _, flags := range []uintptr{unix.MS_BIND | unix.MS_REC, unix.MS_SHARED | unix.MS_REC} {
		if err := unix.Mount(folder, folder, "", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
}

func TestANamespaceIsRemovedWhoeverHoldsIt(t *testing.T) {
	for name, test := range map[string]struct {
		hold func(t *testing.T, path string) *exec.Cmd

		// after is whether the holder still holds it once its file is gone.
		after bool
	}{
		"a process is in it": {
			hold: func(t *testing.T, path string) *exec.Cmd {
				return bystander(t, "nsenter", "--net="+path, "sleep", "600")
			},
			after: true,
		},
		"another mount namespace has it": {
			hold: func(t *testing.T, _ string) *exec.Cmd { return bystander(t, "sleep", "600") },
		},
		"it is covered, and a process is in it": {
			hold: func(t *testing.T, path string) *exec.Cmd {
				cover(t, filepath.Dir(path))
				return bystander(t, "nsenter", "--net="+path, "sleep", "600")
			},
			after: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newNamespace(t)
			namespace := identify(path)
			process := test.hold(t, path)
			holder := fmt.Sprintf("process %d (sleep 600)", process.Process.Pid)
			if got := heldBy(holdersOf(namespace)); !strings.Contains(got, holder) {
				t.Errorf("the namespace is one%s, want %s among them", got, holder)
			}
			if err := removeFile(path); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the file is still there: %v", err)
			}
			if got := strings.Contains(heldBy(holdersOf(namespace)), holder); got != test.after {
				t.Errorf("once its name is gone the process holds it: %v, want %v", got, test.after)
			}
			if err := process.Process.Signal(syscall.Signal(0)); err != nil {
				t.Errorf("the process was disturbed: %v", err)
			}
		})
	}
}

func TestANewNamespaceTakesTheFileThatAnotherLeft(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, path string){
		"a plain file, as after a reboot": func(t *testing.T, path string) {
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"one that is mounted elsewhere": func(t *testing.T, path string) {
			bystander(t, "sleep", "600")
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"one that is mounted on out of sight": func(t *testing.T, path string) {
			cover(t, filepath.Dir(path))
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err == nil {
				t.Fatal("it could be removed just so")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newNamespace(t)
			before := identify(path)
			leave(t, path)
			if err := makeAt(path); err != nil {
				t.Fatal(err)
			}
			if now := identify(path); now == "" || now == before {
				t.Errorf("the file is %q, and was %q", now, before)
			}
		})
	}
}

func TestRemoveTellsWhatIsLeftToWhom(t *testing.T) {
	t.Parallel()
	needRoot(t)
	cluster, err := layout.New(fmt.Sprintf("test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cluster.NetworkNamespaces() {
		if err := makeNamespace(name); err != nil {
			t.Fatal(err)
		}
	}
	process := bystander(t, "nsenter", "--net="+filepath.Join(folder, cluster.Hub()), "sleep", "600")
	left, err := Remove(cluster)
	if err != nil {
		t.Error(err)
	}
	if len(left) != 1 || left[0].Name != cluster.Hub() || len(left[0].Holders) != 1 || left[0].Holders[0].PID != process.Process.Pid {
		t.Errorf("left are %v, want %s to process %d", left, cluster.Hub(), process.Process.Pid)
	}
	for range 2 {
		if left, err := Remove(cluster); err != nil || len(left) > 0 {
			t.Errorf("to remove it again: %v, %v", left, err)
		}
	}
}
