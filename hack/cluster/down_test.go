package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

func TestOnlyTheNodesFilesAreRemovedOutsideItsFolder(t *testing.T) {
	cluster, err := layout.New("c")
	if err != nil {
		t.Fatal(err)
	}
	node := cluster.Nodes()[0]
	root := t.TempDir()
	results, logs := filepath.Join(root, "var/lib/cni/results"), filepath.Join(root, "var/log/containers")
	mustMakeFolders(t, results, logs)
	// The longer name belongs to the first node of a cluster named c-1.
	longer := node.CNINetwork() + "-1-0a1b-eth0"
	for _, name := range []string{node.CNINetwork() + "-0a1b-eth0", longer, "other-0a1b-eth0"} {
		mustWrite(t, filepath.Join(results, name))
	}
	for name, target := range map[string]string{"ours.log": node.Path("logs", "0.log"), "other.log": "/var/log/pods/0.log"} {
		if err := os.Symlink(target, filepath.Join(logs, name)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := removeElsewhere(root, node); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{longer, "other-0a1b-eth0"}, names(t, results)); diff != "" {
		t.Errorf("CNI results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"other.log"}, names(t, logs)); diff != "" {
		t.Errorf("links to logs (-want +got):\n%s", diff)
	}
}

func TestOnlyEmptyFoldersAreRemoved(t *testing.T) {
	root := t.TempDir()
	path := func(name string) string { return filepath.Join(root, name) }
	mustMakeFolders(t, path("empty/empty"), path("full"), path("target"))
	mustWrite(t, path("full/file"))
	if err := os.Symlink(path("target"), path("link")); err != nil {
		t.Fatal(err)
	}
	if err := removeEmpty(path("empty/empty"), path("empty"), path("full"), path("full/file"), path("link"), path("none")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"full", "link", "target"}, names(t, root)); diff != "" {
		t.Errorf("remaining entries (-want +got):\n%s", diff)
	}
}

func TestOnlyDeadSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubelet.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	removeDeadSocket(path)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("socket in use was removed: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	removeDeadSocket(path)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("dead socket was not removed: %v", err)
	}
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func mustMakeFolders(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func mustWrite(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
