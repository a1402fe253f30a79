package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func TestTreeIsRemovedFromItsLeavesUp(t *testing.T) {
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
		t.Errorf("tree still exists: %v", err)
	}
}

func TestProcessesOfAGroupAreKilled(t *testing.T) {
	process := exec.Command("sleep", "600")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	group := t.TempDir()
	writeFile(t, filepath.Join(group, "cgroup.procs"), strconv.Itoa(process.Process.Pid)+"\n")
	kill(group)
	if err := process.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("process ended with %v, want signal: killed", err)
	}
}

func TestNewGroupInheritsTheCPUSet(t *testing.T) {
	parent, child := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(parent, "cpuset.cpus"), "0-1\n")
	writeFile(t, filepath.Join(parent, "cpuset.mems"), "0\n")
	writeFile(t, filepath.Join(child, "cpuset.cpus"), "\n")
	writeFile(t, filepath.Join(child, "cpuset.mems"), "1\n")
	if err := inheritCPUSet(parent, child); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, filepath.Join(child, "cpuset.cpus")); got != "0-1\n" {
		t.Errorf("cpuset.cpus = %q, want the parent's", got)
	}
	if got := readFile(t, filepath.Join(child, "cpuset.mems")); got != "1\n" {
		t.Errorf("cpuset.mems = %q, want it unchanged", got)
	}
}

func TestGroupWithoutCPUSetIsUnchanged(t *testing.T) {
	child := t.TempDir()
	if err := inheritCPUSet(t.TempDir(), child); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(child); err != nil || len(left) > 0 {
		t.Errorf("group has files %v, error %v, want none", left, err)
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
