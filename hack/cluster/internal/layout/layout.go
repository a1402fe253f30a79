// Package layout names everything that belongs to a cluster: its folders, namespaces, addresses and processes. Taking
// a cluster down removes what is named here and nothing else.
package layout

import (
	"fmt"
	"path/filepath"
	"regexp"
)

// Nodes is how many nodes a cluster has.
const Nodes = 2

// The addresses. They live inside the cluster's network namespaces only, so several clusters may share them.
const (
	HubIP         = "10.231.0.1"
	APIPort       = 6443
	PodRange      = "10.232.0.0/16"
	ServiceRange  = "10.233.0.0/16"
	APIServiceIP  = "10.233.0.1"
	DNSServiceIP  = "10.233.0.10"
	ClusterDomain = "cluster.local"
)

// Layout is one cluster's.
type Layout struct {
	// Name is the cluster's name.
	Name string

	// Root is the folder of all that the cluster keeps.
	Root string
}

// Clusters is the folder of all clusters of this machine.
const Clusters = "/var/lib/kube-imds"

// validName keeps names fit for folders, cgroups and network namespaces, and so short that containerd takes
// ShimSockets: it allows 42 characters.
var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$`)

// New lays out the cluster with a name.
func New(name string) (Layout, error) {
	if !validName.MatchString(name) {
		return Layout{}, fmt.Errorf("the cluster's name %q must be 1 to 20 lower-case letters, digits and dashes", name)
	}
	return Layout{Name: name, Root: filepath.Join(Clusters, name)}, nil
}

// Path is a path below the cluster's folder.
func (l Layout) Path(elements ...string) string {
	return filepath.Join(append([]string{l.Root}, elements...)...)
}

// Kubeconfig is the administrator's kubeconfig, for the machine's own network namespace.
func (l Layout) Kubeconfig() string { return l.Path("kubeconfig") }

// Launcher is the copy of this program by which the cluster's processes are started.
func (l Layout) Launcher() string { return l.Path("cluster") }

// Hub is the network namespace of the control plane and of the bridge between the nodes.
func (l Layout) Hub() string { return l.Name + "-hub" }

// Cgroup is the control group of all of the cluster's processes, relative to each hierarchy's root.
func (l Layout) Cgroup() string { return "kube-imds-" + l.Name }

// DaemonCgroup is the control group of the cluster's daemons and the shims they start.
func (l Layout) DaemonCgroup() string { return filepath.Join(l.Cgroup(), "daemons") }

// CommandCgroup is the control group of a command that brings the cluster up, and of the builds and clients it starts, so
// that none outlives the cluster.
func (l Layout) CommandCgroup() string { return filepath.Join(l.Cgroup(), "command") }

// Node is one of the cluster's nodes.
type Node struct {
	// Number counts from 1.
	Number int

	// Name is the node's name in Kubernetes, and that of its network namespace.
	Name string

	// Root is the folder of all that the node keeps.
	Root string

	// Cgroup is the control group of the node's pods.
	Cgroup string

	// ShimSockets is the folder of the sockets by which containerd speaks to its shims. A socket's path must be short,
	// so it is not in Root.
	ShimSockets string
}

// Nodes are the cluster's nodes.
func (l Layout) Nodes() []Node {
	nodes := make([]Node, Nodes)
	for i := range nodes {
		name := fmt.Sprintf("%s-%d", l.Name, i+1)
		nodes[i] = Node{
			Number:      i + 1,
			Name:        name,
			Root:        l.Path(name),
			Cgroup:      filepath.Join(l.Cgroup(), name),
			ShimSockets: l.Path(fmt.Sprintf("s%d", i+1)),
		}
	}
	return nodes
}

// NetworkNamespaces are the names of the cluster's network namespaces.
func (l Layout) NetworkNamespaces() []string {
	names := []string{l.Hub()}
	for _, node := range l.Nodes() {
		names = append(names, node.Name)
	}
	return names
}

// IP is the node's address.
func (n Node) IP() string { return fmt.Sprintf("10.231.0.%d", 10+n.Number) }

// PodRange is the range of the node's pods.
func (n Node) PodRange() string { return fmt.Sprintf("10.232.%d.0/24", n.Number) }

// Path is a path below the node's folder.
func (n Node) Path(elements ...string) string {
	return filepath.Join(append([]string{n.Root}, elements...)...)
}

// ContainerdSocket is the address of the node's containerd.
func (n Node) ContainerdSocket() string { return n.Path("containerd.sock") }

// CNINetwork is the name of the node's pod network.
func (n Node) CNINetwork() string { return "kube-imds-" + n.Name }
