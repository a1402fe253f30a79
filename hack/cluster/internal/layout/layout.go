// Package layout names everything that belongs to a cluster: folders, namespaces, addresses and processes. Taking a cluster
// down removes what is named here and nothing else.
package layout

import (
	"fmt"
	"path/filepath"
	"regexp"
)

// Nodes is the number of nodes of a cluster.
const Nodes = 2

// The addresses exist inside the cluster's network namespaces only, so clusters may share them.
const (
	HubIP         = "10.231.0.1"
	APIPort       = 6443
	PodRange      = "10.232.0.0/16"
	ServiceRange  = "10.233.0.0/16"
	APIServiceIP  = "10.233.0.1"
	DNSServiceIP  = "10.233.0.10"
	ClusterDomain = "cluster.local"
)

// Layout is the layout of one cluster.
type Layout struct {
	// Name is the cluster's name.
	Name string

	// Root is the folder of everything that the cluster keeps.
	Root string
}

// Clusters is the folder of all clusters of this machine.
const Clusters = "/var/lib/kube-imds"

// validName restricts names to what folders, cgroups and network namespaces accept, and to a length that keeps ShimSockets
// within containerd's 42 characters.
var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$`)

// New returns the layout of a cluster.
func New(name string) (Layout, error) {
	if !validName.MatchString(name) {
		return Layout{}, fmt.Errorf("the cluster's name %q must be 1 to 20 lower-case letters, digits and dashes", name)
	}
	return Layout{Name: name, Root: filepath.Join(Clusters, name)}, nil
}

// Path returns a path below the cluster's folder.
func (l Layout) Path(elements ...string) string {
	return filepath.Join(append([]string{l.Root}, elements...)...)
}

// Kubeconfig returns the path of the administrator's kubeconfig, for the machine's own network namespace.
func (l Layout) Kubeconfig() string { return l.Path("kubeconfig") }

// Launcher returns the path of the copy of this program that starts the cluster's processes.
func (l Layout) Launcher() string { return l.Path("cluster") }

// Hub returns the network namespace of the control plane and of the bridge between the nodes.
func (l Layout) Hub() string { return l.Name + "-hub" }

// Cgroup returns the control group of all processes of the cluster, relative to each hierarchy's root.
func (l Layout) Cgroup() string { return "kube-imds-" + l.Name }

// DaemonCgroup returns the control group of the cluster's daemons and their shims.
func (l Layout) DaemonCgroup() string { return filepath.Join(l.Cgroup(), "daemons") }

// CommandCgroup returns the control group of a command that starts the cluster, and of its builds and clients, so that none
// outlives the cluster.
func (l Layout) CommandCgroup() string { return filepath.Join(l.Cgroup(), "command") }

// Node is a node of the cluster.
type Node struct {
	// Number counts from 1.
	Number int

	// Name is the node's name in Kubernetes and of its network namespace.
	Name string

	// Root is the folder of everything that the node keeps.
	Root string

	// Cgroup is the control group of the node's pods.
	Cgroup string

	// ShimSockets is the folder of the sockets between containerd and its shims. A socket's path must be short, so it is
	// not in Root.
	ShimSockets string
}

// Nodes returns the cluster's nodes.
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

// NetworkNamespaces returns the names of the cluster's network namespaces.
func (l Layout) NetworkNamespaces() []string {
	names := []string{l.Hub()}
	for _, node := range l.Nodes() {
		names = append(names, node.Name)
	}
	return names
}

// IP returns the node's address.
func (n Node) IP() string { return fmt.Sprintf("10.231.0.%d", 10+n.Number) }

// PodRange returns the address range of the node's pods.
func (n Node) PodRange() string { return fmt.Sprintf("10.232.%d.0/24", n.Number) }

// Path returns a path below the node's folder.
func (n Node) Path(elements ...string) string {
	return filepath.Join(append([]string{n.Root}, elements...)...)
}

// ContainerdSocket returns the address of the node's containerd.
func (n Node) ContainerdSocket() string { return n.Path("containerd.sock") }

// CNINetwork returns the name of the node's pod network.
func (n Node) CNINetwork() string { return "kube-imds-" + n.Name }
