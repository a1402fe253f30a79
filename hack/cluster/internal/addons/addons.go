package addons

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

//go:embed dns.yaml
var dns string

// dnsImage runs CoreDNS.
const dnsImage = "kube-imds.io/local/coredns:1"

// Images writes the archives of the addons' images into a folder and returns their paths. binaries contains coredns; source
// is the folder of this program, with pause.
func Images(folder, binaries, source, pauseImage string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of images: %w", err)
	}
	pause := filepath.Join(folder, "pause")
	command := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", pause, "./pause")
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the pause program: %w\n%s", err, output)
	}
	archives := []string{pause + ".tar", filepath.Join(folder, "coredns.tar")}
	if err := writeImage(archives[0], pauseImage, pause); err != nil {
		return nil, err
	}
	return archives, writeImage(archives[1], dnsImage, filepath.Join(binaries, "coredns"))
}

// Manifests returns the objects of the addons.
func Manifests() ([]byte, error) {
	parsed, err := template.New("dns").Parse(dns)
	if err != nil {
		return nil, fmt.Errorf("read the manifests of DNS: %w", err)
	}
	var manifests bytes.Buffer
	err = parsed.Execute(&manifests, map[string]string{
		"Image": dnsImage, "ClusterDomain": layout.ClusterDomain, "DNSServiceIP": layout.DNSServiceIP,
	})
	if err != nil {
		return nil, fmt.Errorf("fill in the manifests of DNS: %w", err)
	}
	return manifests.Bytes(), nil
}
