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

// newNamespace mounts a new network namespace on a file in a temporary folder, as a cluster does in its own.
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

// startProcess starts a process in a separate mount namespace, as `ip netns exec` does, and kills it after the test. It waits
// until the process runs sleep 600.
func startProcess(t *testing.T, command ...string) *exec.Cmd {
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

// cover mounts a folder and everything in it on itself, as the first `ip netns add` of a machine does.
func cover(t *testing.T, folder string) {
	t.Helper()
	for _, flags := range []uintptr{unix.MS_BIND | unix.MS_REC, unix.MS_SHARED | unix.MS_REC} {
		if err := unix.Mount(folder, folder, "", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
}

func TestHeldNamespaceIsRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		hold func(t *testing.T, path string) *exec.Cmd

		// heldAfter reports whether the process still holds the namespace after its file is removed.
		heldAfter bool
	}{
		"process in the namespace": {
			hold: func(t *testing.T, path string) *exec.Cmd {
				return startProcess(t, "nsenter", "--net="+path, "sleep", "600")
			},
			heldAfter: true,
		},
		"mounted in another mount namespace": {
			hold: func(t *testing.T, _ string) *exec.Cmd { return startProcess(t, "sleep", "600") },
		},
		"process in a covered namespace": {
			hold: func(t *testing.T, path string) *exec.Cmd {
				cover(t, filepath.Dir(path))
				return startProcess(t, "nsenter", "--net="+path, "sleep", "600")
			},
			heldAfter: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newNamespace(t)
			namespace := identify(path)
			process := test.hold(t, path)
			holder := fmt.Sprintf("process %d (sleep 600)", process.Process.Pid)
			if got := heldBy(holdersOf(namespace)); !strings.Contains(got, holder) {
				t.Errorf("heldBy() = %q, want it to contain %s", got, holder)
			}
			if err := removeFile(path); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("file still exists: %v", err)
			}
			if got := strings.Contains(heldBy(holdersOf(namespace)), holder); got != test.heldAfter {
				t.Errorf("process holds the namespace after its removal: got %v, want %v", got, test.heldAfter)
			}
			if err := process.Process.Signal(syscall.Signal(0)); err != nil {
				t.Errorf("process does not run after the removal: %v", err)
			}
		})
	}
}

func TestNewNamespaceReusesALeftoverFile(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, path string){
		"plain file, as after a reboot": func(t *testing.T, path string) {
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"mounted in another mount namespace": func(t *testing.T, path string) {
			startProcess(t, "sleep", "600")
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"covered mount": func(t *testing.T, path string) {
			cover(t, filepath.Dir(path))
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err == nil {
				t.Fatal("covered file could be removed without unmounting")
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
				t.Errorf("namespace = %q, want one other than %q", now, before)
			}
		})
	}
}

func TestRemoveReportsHeldNamespacesAndHolders(t *testing.T) {
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
	process := startProcess(t, "nsenter", "--net="+filepath.Join(folder, cluster.Hub()), "sleep", "600")
	left, err := Remove(cluster)
	if err != nil {
		t.Error(err)
	}
	if len(left) != 1 || left[0].Name != cluster.Hub() || len(left[0].Holders) != 1 || left[0].Holders[0].PID != process.Process.Pid {
		t.Errorf("left = %v, want %s held by process %d", left, cluster.Hub(), process.Process.Pid)
	}
	for range 2 {
		if left, err := Remove(cluster); err != nil || len(left) > 0 {
			t.Errorf("second removal: left = %v, error %v", left, err)
		}
	}
}
