package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func TestATreeIsRemovedFromItsLeavesUp(t *testing.T) {
	root := filepath.Join(t.TempDir(), "cluster")
	if err := os.MkdirAll(filepath.Join(root, "node", "pods", "one"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := removeTree(root); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("the tree is still there: %v", err)
	}
}

func TestAGroupsProcessesAreKilled(t *testing.T) {
	process := exec.Command("sleep", "600")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	group := t.TempDir()
	writeFile(t, filepath.Join(group, "cgroup.procs"), strconv.Itoa(process.Process.Pid)+"\n")
	kill(group)
	if err := process.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the process ended with %v, want it killed", err)
	}
}

func TestANewGroupHasItsParentsProcessors(t *testing.T) {
	parent, child := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(parent, "cpuset.cpus"), "0-1\n")
	writeFile(t, filepath.Join(parent, "cpuset.mems"), "0\n")
	writeFile(t, filepath.Join(child, "cpuset.cpus"), "\n")
	writeFile(t, filepath.Join(child, "cpuset.mems"), "1\n")
	if err := inheritCPUSet(parent, child); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, filepath.Join(child, "cpuset.cpus")); got != "0-1\n" {
		t.Errorf("cpuset.cpus is %q, want the parent's", got)
	}
	if got := readFile(t, filepath.Join(child, "cpuset.mems")); got != "1\n" {
		t.Errorf("cpuset.mems is %q, want what it was", got)
	}
}

func TestAGroupWithoutProcessorsNeedsNone(t *testing.T) {
	child := t.TempDir()
	if err := inheritCPUSet(t.TempDir(), child); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(child); err != nil || len(left) > 0 {
		t.Errorf("it has %v, %v", left, err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
