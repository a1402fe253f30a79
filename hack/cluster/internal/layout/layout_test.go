package layout

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestClusterNamesAreValidated(t *testing.T) {
	for _, test := range []struct {
		name  string
		valid bool
	}{
		{"kube-imds", true},
		{"a", true},
		{"e2e-2", true},
		{strings.Repeat("a", 20), true},
		{strings.Repeat("a", 21), false},
		{"", false},
		{"..", false},
		{"a/b", false},
		{"-a", false},
		{"a-", false},
		{"A", false},
		{"a b", false},
	} {
		if _, err := New(test.name); (err == nil) != test.valid {
			t.Errorf("New(%q): got error %v, want valid = %v", test.name, err, test.valid)
		}
	}
}

// Removal finds resources by these names alone, so two clusters must not share any.
func TestClustersShareNothing(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a", "b"} {
		cluster := mustNew(t, name)
		owned := append(cluster.NetworkNamespaces(), cluster.Root, cluster.Cgroup())
		for _, node := range cluster.Nodes() {
			owned = append(owned, node.Root, node.Cgroup, node.ShimSockets, node.CNINetwork(), node.ContainerdSocket())
		}
		for _, resource := range owned {
			if other := seen[resource]; other != "" {
				t.Errorf("clusters %s and %s both have %s", other, name, resource)
			}
			seen[resource] = name
		}
	}
}

func TestPathsAndControlGroupsAreInTheClusters(t *testing.T) {
	cluster := mustNew(t, "c")
	for _, node := range cluster.Nodes() {
		for _, path := range []string{node.Root, node.ShimSockets, node.ContainerdSocket()} {
			if !strings.HasPrefix(path, cluster.Root+"/") {
				t.Errorf("%s is not below %s", path, cluster.Root)
			}
		}
	}
	for _, group := range []string{cluster.DaemonCgroup(), cluster.CommandCgroup(), cluster.Nodes()[1].Cgroup} {
		if filepath.Dir(group) != cluster.Cgroup() {
			t.Errorf("control group %s is not in %s", group, cluster.Cgroup())
		}
	}
}

// containerd refuses a folder of shim sockets with a longer path.
func TestShimSocketsHaveAShortPath(t *testing.T) {
	const longest = 42
	for _, node := range mustNew(t, strings.Repeat("a", 20)).Nodes() {
		if len(node.ShimSockets) > longest {
			t.Errorf("%s has %d characters, want at most %d", node.ShimSockets, len(node.ShimSockets), longest)
		}
	}
}

func TestNodesDiffer(t *testing.T) {
	nodes := mustNew(t, "c").Nodes()
	if len(nodes) != Nodes {
		t.Fatalf("got %d nodes, want %d", len(nodes), Nodes)
	}
	if nodes[0].IP() == nodes[1].IP() || nodes[0].PodRange() == nodes[1].PodRange() {
		t.Errorf("nodes share an address or range: %s %s, %s %s",
			nodes[0].IP(), nodes[0].PodRange(), nodes[1].IP(), nodes[1].PodRange())
	}
}

func mustNew(t *testing.T, name string) Layout {
	t.Helper()
	cluster, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}
