package components

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

//go:embed templates
var templates embed.FS

// CNIPlugins is where Debian installs the plugins.
const CNIPlugins = "/usr/lib/cni"

// PauseImage keeps a pod's namespaces open.
const PauseImage = "kube-imds.io/local/pause:1"

// Node returns the daemons of a node in the order of their start.
func (c Components) Node(node layout.Node) []process.Daemon {
	return []process.Daemon{c.containerd(node), c.kubelet(node), c.kubeProxy(node)}
}

// WriteNode writes the configuration of a node's daemons.
func (c Components) WriteNode(node layout.Node) error {
	for name, path := range map[string]string{
		"containerd.toml": node.Path("containerd.toml"),
		"kubelet.yaml":    node.Path("kubelet.yaml"),
		"pods.conflist":   node.Path("cni", "pods.conflist"),
		"resolv.conf":     node.Path("resolv.conf"),
	} {
		content, err := c.render(name, node)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of node %s: %w", node.Name, err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("write %s of node %s: %w", name, node.Name, err)
		}
	}
	return nil
}

func (c Components) render(name string, node layout.Node) ([]byte, error) {
	parsed, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("read the template of %s: %w", name, err)
	}
	var content bytes.Buffer
	err = parsed.Execute(&content, map[string]any{
		"Node": node, "Binaries": c.Binaries, "CNIPlugins": CNIPlugins, "PauseImage": PauseImage,
		"ClusterDomain": layout.ClusterDomain, "DNSServiceIP": layout.DNSServiceIP, "ClientCA": c.Credentials("ca.crt"),
	})
	if err != nil {
		return nil, fmt.Errorf("fill in the template of %s: %w", name, err)
	}
	return content.Bytes(), nil
}

func (c Components) containerd(node layout.Node) process.Daemon {
	return c.daemon("containerd-"+node.Name, node.Name, accepts(node.ContainerdSocket()), "containerd",
		"--config="+node.Path("containerd.toml"))
}

func (c Components) kubelet(node layout.Node) process.Daemon {
	return c.daemon("kubelet-"+node.Name, node.Name, serves(node.Name, "http://127.0.0.1:10248/healthz"), "kubelet",
		"--config="+node.Path("kubelet.yaml"),
		"--kubeconfig="+c.Credentials(node.Name+".kubeconfig"),
		"--hostname-override="+node.Name,
		"--node-ip="+node.IP(),
		"--root-dir="+node.Path("kubelet"),
		"--cert-dir="+node.Path("kubelet", "pki"),
		fmt.Sprintf("--node-labels=topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local-%d,"+
			"node.kubernetes.io/instance-type=Standard_Local", node.Number))
}

func (c Components) kubeProxy(node layout.Node) process.Daemon {
	return c.daemon("kube-proxy-"+node.Name, node.Name, serves(node.Name, "http://127.0.0.1:10256/livez"), "kube-proxy",
		"--kubeconfig="+c.Credentials("kube-proxy.kubeconfig"),
		"--hostname-override="+node.Name,
		"--cluster-cidr="+layout.PodRange,
		"--proxy-mode=nftables",
		"--healthz-bind-address=127.0.0.1:10256",
		// The limits of connection tracking belong to the machine, not to the namespace.
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0")
}
