package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"
)

// tool is a Go module from which binaries are built. The go.mod in its folder pins the version.
type tool struct {
	// folder has its go.mod, below hack/tools.
	folder string

	// module is the module whose version counts.
	module string

	// packages maps the names of binaries to main packages.
	packages map[string]string

	tags string
	cgo  bool

	// needs are the Debian packages that a build needs beside Go.
	needs string

	// forTests means that it is built only if it is named.
	forTests bool

	// linker returns the linker flags that set the binaries' version.
	linker func(version string) string
}

// tools are the parts of a cluster, Helm, and what tests need.
var tools = []tool{
	{
		folder: "kubernetes", module: "k8s.io/kubernetes", linker: kubernetesVersion,
		packages: map[string]string{
			"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
			"kube-proxy":              "k8s.io/kubernetes/cmd/kube-proxy",
			"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
			"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
		},
	},
	{folder: "etcd", module: "go.etcd.io/etcd/server/v3", packages: map[string]string{"etcd": "go.etcd.io/etcd/server/v3"}},
	{
		folder: "containerd", module: "github.com/containerd/containerd/v2", tags: "no_btrfs no_devmapper no_zfs",
		linker: func(version string) string {
			return "-X github.com/containerd/containerd/v2/version.Version=" + version
		},
		packages: map[string]string{
			"containerd":              "github.com/containerd/containerd/v2/cmd/containerd",
			"containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"ctr":                     "github.com/containerd/containerd/v2/cmd/ctr",
		},
	},
	{
		folder: "runc", module: "github.com/opencontainers/runc", tags: "seccomp", cgo: true,
		needs:    "gcc libseccomp-dev pkg-config",
		linker:   func(version string) string { return "-X main.version=" + strings.TrimPrefix(version, "v") },
		packages: map[string]string{"runc": "github.com/opencontainers/runc"},
	},
	{folder: "coredns", module: "github.com/coredns/coredns", packages: map[string]string{"coredns": "github.com/coredns/coredns"}},
	{folder: "helm", module: "helm.sh/helm/v3", packages: map[string]string{"helm": "helm.sh/helm/v3/cmd/helm"}},
	{
		folder: "vault", module: "github.com/hashicorp/vault", forTests: true,
		packages: map[string]string{"vault-transit": "github.com/kube-imds/kube-imds/hack/tools/vault"},
	},
}

// kubernetesVersion sets the version that clients ask for. Without it they find v0.0.0 and complain.
func kubernetesVersion(version string) string {
	const base = "-X k8s.io/component-base/version."
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return base + "gitVersion=" + version + " " + base + "gitMajor=" + major + " " + base + "gitMinor=" + minor + " " +
		base + "gitTreeState=clean"
}

// version returns the tool's pinned version. If the tool's folder has its own program, its content is part of the version.
func (t tool) version(toolsFolder string) (string, error) {
	path := filepath.Join(toolsFolder, t.folder, "go.mod")
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the version of %s: %w", t.module, err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return "", fmt.Errorf("read the version of %s: %w", t.module, err)
	}
	for _, require := range file.Require {
		if require.Mod.Path == t.module {
			program, err := t.program(toolsFolder)
			return require.Mod.Version + program, err
		}
	}
	return "", fmt.Errorf("%s does not require %s", path, t.module)
}

// program identifies the content of the program in the tool's folder; "" without one.
func (t tool) program(toolsFolder string) (string, error) {
	content, err := os.ReadFile(filepath.Join(toolsFolder, t.folder, "main.go"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the program of %s: %w", t.folder, err)
	}
	sum := sha256.Sum256(content)
	return "-" + hex.EncodeToString(sum[:4]), nil
}

// flags returns the arguments of go build.
func (t tool) flags(version string) []string {
	linker := "-s -w"
	if t.linker != nil {
		linker += " " + t.linker(version)
	}
	flags := []string{"-trimpath", "-ldflags", linker}
	if t.tags != "" {
		flags = append(flags, "-tags", t.tags)
	}
	return flags
}

// key identifies a build by version, flags, compiler and architecture.
func (t tool) key(version string) string {
	sum := sha256.Sum256([]byte(strings.Join(append(t.flags(version), runtime.Version(), runtime.GOARCH), "\n")))
	return fmt.Sprintf("%s-%s-%s", t.folder, version, hex.EncodeToString(sum[:4]))
}

// hint says what a failed build may lack.
func (t tool) hint() string {
	if t.needs == "" {
		return ""
	}
	return fmt.Sprintf("it needs: apt-get install --yes --no-install-recommends %s", t.needs)
}
