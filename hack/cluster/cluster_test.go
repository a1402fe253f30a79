package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/components"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

func testCluster(t *testing.T) *cluster {
	t.Helper()
	names := layout.Layout{Name: "test-" + filepath.Base(t.TempDir()), Root: t.TempDir()}
	return &cluster{
		Layout:     names,
		components: components.Components{Layout: names, Binaries: "/binaries"},
		supervisor: process.Supervisor{Folder: filepath.Join(names.Root, "daemons")},
	}
}

func TestStateIsReadBack(t *testing.T) {
	c := testCluster(t)
	if err := c.remember("/binaries", "/checkout"); err != nil {
		t.Fatal(err)
	}
	reopened := testCluster(t)
	reopened.Root = c.Root
	if err := reopened.readState(); err != nil {
		t.Fatal(err)
	}
	if reopened.state != c.state || reopened.state.Address == "" || reopened.state.BootID == "" {
		t.Errorf("state = %+v, want %+v", reopened.state, c.state)
	}
	if err := reopened.remember("/newer", "/checkout"); err != nil {
		t.Fatal(err)
	}
	if reopened.state.Address != c.state.Address {
		t.Errorf("address changed from %s to %s, which breaks kubeconfigs in use", c.state.Address, reopened.state.Address)
	}
}

func TestMissingClusterHasNoState(t *testing.T) {
	c := testCluster(t)
	if err := c.readState(); err != nil || c.state != (state{}) {
		t.Errorf("state = %+v, error %v, want an empty state", c.state, err)
	}
}

func TestMalformedStateIsReported(t *testing.T) {
	c := testCluster(t)
	if err := os.WriteFile(c.statePath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.readState(); err == nil || !strings.Contains(err.Error(), "read the state of cluster") {
		t.Errorf("got error %v", err)
	}
}

func TestDaemonIsFoundByName(t *testing.T) {
	c := testCluster(t)
	for _, name := range []string{"etcd", "kube-apiserver", "forwarder", "kubelet-" + c.Nodes()[1].Name} {
		if daemon, err := c.daemon(name); err != nil || daemon.Name != name {
			t.Errorf("daemon(%s) = %s, %v", name, daemon.Name, err)
		}
	}
	if _, err := c.daemon("apiserver"); err == nil || !strings.Contains(err.Error(), "there are etcd, kube-apiserver,") {
		t.Errorf("got error %v, want the names of all daemons", err)
	}
}

func TestChangesOfAClusterAreExclusive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change a cluster")
	}
	c := testCluster(t)
	err := c.exclusively(func() error {
		err := c.exclusively(func() error { return nil })
		if want := fmt.Sprintf("wait for process %d (", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("during another change: got error %v, want %q", err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exclusively(func() error { return nil }); err != nil {
		t.Errorf("after the first change: %v", err)
	}
}
