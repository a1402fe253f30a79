package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/cgroup"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/mounts"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/network"
)

// down removes the cluster, whatever state it is in. Every process of the cluster, its containers' and their shims'
// among them, is in the cluster's control group, so none is missed and no other is touched.
func (c *cluster) down() error {
	if os.Geteuid() != 0 {
		return errors.New("taking a local cluster down needs root: run this with sudo")
	}
	if err := cgroup.Remove(c.Cgroup(), time.Minute); err != nil {
		return err
	}
	if err := errors.Join(mounts.UnmountBelow(c.Root), network.Remove(c.Layout)); err != nil {
		return err
	}
	for _, node := range c.Nodes() {
		removeElsewhere(node)
	}
	if err := os.RemoveAll(c.Root); err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	// The folder of all clusters goes with the last one.
	_ = os.Remove(layout.Clusters)
	say("cluster %s is down", c.Name)
	return nil
}

// shimAddress finds a shim's socket in what containerd keeps of it.
var shimAddress = regexp.MustCompile(`unix://(/run/containerd/s/[0-9a-f]+)`)

// removeElsewhere removes the files that containerd, its network library and kubelet keep outside the node's folder.
// They are small and useless without the node; one that resists is left.
func removeElsewhere(node layout.Node) {
	shims, _ := filepath.Glob(node.Path("containerd-state", "io.containerd.runtime.v2.task", "k8s.io", "*", "*"))
	for _, path := range shims {
		if base := filepath.Base(path); base != "address" && base != "bootstrap.json" {
			continue
		}
		content, _ := os.ReadFile(path)
		if address := shimAddress.FindSubmatch(content); address != nil {
			_ = os.Remove(string(address[1]))
		}
	}
	results, _ := filepath.Glob(filepath.Join("/var/lib/cni/results", node.CNINetwork()+"-*"))
	for _, path := range results {
		_ = os.Remove(path)
	}
	logs, _ := filepath.Glob("/var/log/containers/*.log")
	for _, path := range logs {
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, node.Root+"/") {
			_ = os.Remove(path)
		}
	}
}
