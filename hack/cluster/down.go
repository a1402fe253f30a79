package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/cgroup"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/machine"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/mounts"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/network"
)

// sysctls are the machine's own settings from before its first cluster.
var sysctls = machine.NewSysctls(filepath.Join(layout.Clusters, "sysctls.json"))

// down removes the cluster and says so.
func (c *cluster) down() error {
	if err := c.remove(); err != nil {
		return fmt.Errorf("cluster %s is not down altogether: %w", c.Name, err)
	}
	say("cluster %s is down", c.Name)
	return nil
}

// remove removes the cluster in any state. Every process of the cluster, including its containers' and their
// shims', is in the cluster's control group, so none is missed and no other is touched. It goes on past what it cannot
// remove, and reports that at the end.
func (c *cluster) remove() error {
	failures := cgroup.Remove(c.Cgroup(), time.Minute)
	failures = errors.Join(failures, mounts.UnmountBelow(c.Root))
	left, err := network.Remove(c.Layout)
	failures = errors.Join(failures, err)
	for _, namespace := range left {
		say("the network namespace %s has lost its name, and lives as long as these do:", namespace.Name)
		for _, holder := range namespace.Holders {
			say("  %s", holder)
		}
	}
	for _, node := range c.Nodes() {
		failures = errors.Join(failures, removeElsewhere("/", node))
	}
	return errors.Join(failures, machine.Exclusively(c.leave))
}

// leave removes the cluster's folder, by which others know it, and restores the machine if this was the last cluster.
func (c *cluster) leave() error {
	if err := os.RemoveAll(c.Root); err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	return giveMachineBack()
}

// removeElsewhere removes the files that kubelet and containerd's network library keep outside the node's folder, at fixed
// paths. Tests use another root folder.
func removeElsewhere(root string, node layout.Node) error {
	results, err := filepath.Glob(filepath.Join(root, "var/lib/cni/results", node.CNINetwork()+"-*"))
	if err != nil {
		return fmt.Errorf("find the results of node %s's network plugins: %w", node.Name, err)
	}
	// A result is named NETWORK-CONTAINER-INTERFACE, and another cluster's network name may start with this node's.
	stale := slices.DeleteFunc(results, func(path string) bool {
		return strings.Count(filepath.Base(path), "-") != strings.Count(node.CNINetwork(), "-")+2
	})
	logs, err := filepath.Glob(filepath.Join(root, "var/log/containers/*.log"))
	if err != nil {
		return fmt.Errorf("find the links to node %s's logs: %w", node.Name, err)
	}
	for _, path := range logs {
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, node.Root+"/") {
			stale = append(stale, path)
		}
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what node %s left: %w", node.Name, err)
		}
	}
	return nil
}

// giveMachineBack restores what clusters changed of the machine, once there is no cluster.
func giveMachineBack() error {
	others, err := filepath.Glob(filepath.Join(layout.Clusters, "*", stateFile))
	if err != nil || len(others) > 0 {
		return err
	}
	removeDeadSocket("/var/lib/kubelet/device-plugins/kubelet.sock")
	if err := sysctls.Restore(); err != nil {
		return err
	}
	return removeEmpty(layout.Clusters, "/var/lib/cni/results", "/var/lib/cni", "/var/log/containers",
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/run/netns")
}

// removeDeadSocket removes a socket without a listener.
func removeDeadSocket(path string) {
	connection, err := net.Dial("unix", path)
	if err == nil {
		_ = connection.Close()
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}

// removeEmpty removes empty folders in this order. Others keep those that are not empty.
func removeEmpty(folders ...string) error {
	for _, folder := range folders {
		switch err := unix.Rmdir(folder); err {
		case nil, unix.ENOENT, unix.ENOTEMPTY, unix.ENOTDIR, unix.EBUSY:
		default:
			return fmt.Errorf("remove the empty folder %s: %w", folder, err)
		}
	}
	return nil
}
