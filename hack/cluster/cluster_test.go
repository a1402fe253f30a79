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

func TestWhatIsRememberedIsReadAgain(t *testing.T) {
	c := testCluster(t)
	if err := c.remember("/binaries", "/checkout"); err != nil {
		t.Fatal(err)
	}
	again := testCluster(t)
	again.Root = c.Root
	if err := again.readState(); err != nil {
		t.Fatal(err)
	}
	if again.state != c.state || again.state.Address == "" || again.state.BootID == "" {
		t.Errorf("read %+v, wrote %+v", again.state, c.state)
	}
	if err := again.remember("/newer", "/checkout"); err != nil {
		t.Fatal(err)
	}
	if again.state.Address != c.state.Address {
		t.Errorf("the address changed from %s to %s under a kubeconfig in use", c.state.Address, again.state.Address)
	}
}

func TestAClusterThatIsNotThereHasNoState(t *testing.T) {
	c := testCluster(t)
	if err := c.readState(); err != nil || c.state != (state{}) {
		t.Errorf("read %+v, %v", c.state, err)
	}
}

func TestABrokenStateIsSaid(t *testing.T) {
	c := testCluster(t)
	if err := os.WriteFile(c.statePath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.readState(); err == nil || !strings.Contains(err.Error(), "read the state of cluster") {
		t.Errorf("got %v", err)
	}
}

func TestADaemonIsFoundByItsName(t *testing.T) {
	c := testCluster(t)
	for _, name := range []string{"etcd", "kube-apiserver", "forwarder", "kubelet-" + c.Nodes()[1].Name} {
		if daemon, err := c.daemon(name); err != nil || daemon.Name != name {
			t.Errorf("daemon(%s) is %s, %v", name, daemon.Name, err)
		}
	}
	if _, err := c.daemon("apiserver"); err == nil || !strings.Contains(err.Error(), "there are etcd, kube-apiserver,") {
		t.Errorf("got %v, want the names that there are", err)
	}
}

func TestOneCommandChangesAClusterAtATime(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change a cluster")
	}
	c := testCluster(t)
	err := c.exclusively(func() error {
		err := c.exclusively(func() error { return nil })
		if want := fmt.Sprintf("wait for process %d (", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("while another changes it: %v, want %q", err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exclusively(func() error { return nil }); err != nil {
		t.Errorf("once the first is done: %v", err)
	}
}
