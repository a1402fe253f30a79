package components

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

func components() Components {
	return Components{Layout: layout.Layout{Name: "c", Root: "/clusters/c"}, Binaries: "/binaries"}
}

func (c Components) all() []process.Daemon {
	daemons := c.ControlPlane()
	for _, node := range c.Nodes() {
		daemons = append(daemons, c.Node(node)...)
	}
	return daemons
}

func TestDaemonsHaveUniqueNamesAndTheClustersNamespaces(t *testing.T) {
	c := components()
	names := map[string]bool{}
	for _, daemon := range c.all() {
		if names[daemon.Name] {
			t.Errorf("two daemons are named %s", daemon.Name)
		}
		names[daemon.Name] = true
		if !slices.Contains(c.NetworkNamespaces(), daemon.Namespace) {
			t.Errorf("%s runs in network namespace %q, want one of %v", daemon.Name, daemon.Namespace, c.NetworkNamespaces())
		}
		if filepath.Dir(daemon.Command[0]) != c.Binaries {
			t.Errorf("%s runs %s, which is not in the folder of binaries", daemon.Name, daemon.Command[0])
		}
	}
}

// Files elsewhere would be left behind when the cluster is removed.
func TestAllFilesAreInTheClustersFolder(t *testing.T) {
	c := components()
	path := regexp.MustCompile(`(?:^|[="\s])(/[^"\s,]+)`)
	prefixes := []string{c.Binaries + "/", CNIPlugins, "/" + c.Cgroup() + "/", c.Root + "/"}
	check := func(what, text string) {
		for _, found := range path.FindAllStringSubmatch(text, -1) {
			allowed := func(prefix string) bool { return strings.HasPrefix(found[1], prefix) }
			if !slices.ContainsFunc(prefixes, allowed) {
				t.Errorf("%s uses %s outside the cluster's folder", what, found[1])
			}
		}
	}
	for _, daemon := range c.all() {
		for _, argument := range daemon.Command {
			check(daemon.Name, argument)
		}
	}
	for _, node := range c.Nodes() {
		for _, name := range []string{"containerd.toml", "kubelet.yaml", "pods.conflist"} {
			check(name, rendered(t, name, node))
		}
	}
}

func TestNodesShareNoFiles(t *testing.T) {
	c := components()
	nodes := c.Nodes()
	for _, name := range []string{"containerd.toml", "kubelet.yaml", "pods.conflist"} {
		for _, own := range []string{nodes[0].Root, nodes[0].Cgroup, nodes[0].ShimSockets, nodes[0].PodRange()} {
			if strings.Contains(rendered(t, name, nodes[1]), own) {
				t.Errorf("%s of node 2 contains %s of node 1", name, own)
			}
		}
	}
}

func TestKubeletConfiguration(t *testing.T) {
	c := components()
	node := c.Nodes()[1]
	var got map[string]any
	if err := yaml.UnmarshalStrict([]byte(rendered(t, "kubelet.yaml", node)), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"address":                  node.IP(),
		"cgroupRoot":               "/" + node.Cgroup,
		"cgroupDriver":             "cgroupfs",
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"clusterDomain":            "cluster.local",
		"containerRuntimeEndpoint": "unix://" + node.ContainerdSocket(),
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

func TestNetworkPluginsUseTheNodesNetwork(t *testing.T) {
	c := components()
	var got struct {
		Name    string
		Plugins []struct {
			Type string
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := yaml.Unmarshal([]byte(rendered(t, "pods.conflist", c.Nodes()[0])), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != c.Nodes()[0].CNINetwork() || got.Plugins[0].IPAM.Ranges[0][0].Subnet != c.Nodes()[0].PodRange() {
		t.Errorf("network = %+v", got)
	}
}

// kube-imds and its tests rely on these flags.
func TestAPIServerFlags(t *testing.T) {
	arguments := components().apiServer().Command
	for _, want := range []string{
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-aggregator-routing=true",
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-cluster-ip-range=" + layout.ServiceRange,
	} {
		if !slices.Contains(arguments, want) {
			t.Errorf("kube-apiserver lacks %s", want)
		}
	}
}

func TestNodesHaveCloudLabels(t *testing.T) {
	c := components()
	const want = "--node-labels=topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local-2," +
		"node.kubernetes.io/instance-type=Standard_Local"
	if arguments := c.kubelet(c.Nodes()[1]).Command; !slices.Contains(arguments, want) {
		t.Errorf("kubelet arguments = %v, want %s", arguments, want)
	}
}

func TestNodeConfigurationIsWritten(t *testing.T) {
	c := components()
	c.Root = t.TempDir()
	node := c.Nodes()[0]
	if err := c.WriteNode(node); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"containerd.toml", "kubelet.yaml", "cni/pods.conflist", "resolv.conf"} {
		if _, err := os.Stat(node.Path(path)); err != nil {
			t.Error(err)
		}
	}
}

func TestServerIsReadyWhenItAnswers200(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	ready := answers(server.URL, server.Client().Transport.(*http.Transport).DialContext)
	if err := ready(t.Context()); err == nil {
		t.Error("server is ready while it answers 503")
	}
	status = http.StatusOK
	if err := ready(t.Context()); err != nil {
		t.Errorf("server is not ready while it answers 200: %v", err)
	}
	server.Close()
	if err := ready(t.Context()); err == nil {
		t.Error("server is ready after it was closed")
	}
}

func TestMissingSocketIsNotReady(t *testing.T) {
	if err := accepts(filepath.Join(t.TempDir(), "none"))(context.Background()); err == nil {
		t.Error("missing socket is ready")
	}
}

func rendered(t *testing.T, name string, node layout.Node) string {
	t.Helper()
	content, err := components().render(name, node)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
