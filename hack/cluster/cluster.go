package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/binaries"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/components"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/machine"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
	"github.com/kube-imds/kube-imds/hack/internal/cachefolder"
)

const (
	// startDeadline bounds the start of a daemon.
	startDeadline = 2 * time.Minute

	// stopDeadline bounds the graceful stop of a daemon. The API server would take a minute, because of its watches.
	stopDeadline = 5 * time.Second
)

// cluster is a cluster of this machine, which may not exist.
type cluster struct {
	layout.Layout
	components components.Components
	supervisor process.Supervisor
	state      state
}

// state is what a cluster keeps from its start on.
type state struct {
	// BootID identifies the machine's boot in which the cluster was started.
	BootID string `json:"bootID"`

	// Binaries is the folder of the cluster's binaries.
	Binaries string `json:"binaries"`

	// Checkout is the root of the repository that the cluster was started from.
	Checkout string `json:"checkout"`

	// Address is the API server's address in the machine's own network namespace.
	Address string `json:"address"`
}

// newCluster returns a cluster of which only the name is known.
func newCluster(name string) (*cluster, error) {
	names, err := layout.New(name)
	if err != nil {
		return nil, err
	}
	return &cluster{Layout: names}, nil
}

// openCluster returns a cluster with its state.
func openCluster(name string) (*cluster, error) {
	c, err := newCluster(name)
	if err != nil {
		return nil, err
	}
	return c, c.open()
}

// open reads the cluster's state and fails without one.
func (c *cluster) open() error {
	if err := c.readState(); err != nil {
		return err
	}
	c.supervisor = process.Supervisor{Launcher: c.Launcher(), Cgroup: c.DaemonCgroup(), Folder: c.Path("daemons")}
	c.components = components.Components{Layout: c.Layout, Binaries: c.state.Binaries}
	return nil
}

// readState reads the cluster's state. A cluster that does not exist has an empty state.
func (c *cluster) readState() error {
	content, err := os.ReadFile(c.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(content, &c.state)
	}
	if err != nil {
		return fmt.Errorf("read the state of cluster %s: %w", c.Name, err)
	}
	return nil
}

// stateFile marks the folder of a cluster that exists.
const stateFile = "state.json"

func (c *cluster) statePath() string { return c.Path(stateFile) }

// remember chooses and writes the state.
func (c *cluster) remember(binaries, checkout string) error {
	boot, err := machine.BootID()
	if err != nil {
		return err
	}
	c.state.BootID, c.state.Checkout = boot, checkout
	c.state.Binaries, c.components.Binaries = binaries, binaries
	if c.state.Address == "" {
		if c.state.Address, err = freeAddress(); err != nil {
			return err
		}
	}
	content, err := json.Marshal(c.state)
	if err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	return replaceFile(c.statePath(), content, 0o600)
}

// daemons returns all daemons in the order of their start.
func (c *cluster) daemons() []process.Daemon {
	all := append(c.components.ControlPlane(), c.forwarder())
	for _, node := range c.Nodes() {
		all = append(all, c.components.Node(node)...)
	}
	return all
}

// daemon returns a daemon by name.
func (c *cluster) daemon(name string) (process.Daemon, error) {
	var names []string
	for _, daemon := range c.daemons() {
		if daemon.Name == name {
			return daemon, nil
		}
		names = append(names, daemon.Name)
	}
	return process.Daemon{}, fmt.Errorf("there is no daemon %q: there are %s", name, strings.Join(names, ", "))
}

// newBuilder returns a builder for the modules of a repository.
func newBuilder(repository string) (binaries.Builder, error) {
	cache, err := cachefolder.Path()
	if err != nil {
		return binaries.Builder{}, err
	}
	return binaries.Builder{Tools: filepath.Join(repository, "hack", "tools"), Cache: cache, Progress: os.Stderr}, nil
}

// findRepository returns the repository's root, searching from the working folder up.
func findRepository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working folder: %w", err)
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "hack", "tools", "kubernetes", "go.mod")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("%s is not in a checkout of kube-imds: run this there", start)
		}
	}
}

// freeAddress returns a free loopback address.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free loopback address: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
