package addons

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

func TestDNSManifestsMatchTheLayout(t *testing.T) {
	manifests, err := Manifests()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for document := range strings.SplitSeq(string(manifests), "\n---\n") {
		var object struct {
			Kind string
			Spec struct{ ClusterIP string }
			Data map[string]string
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		kinds = append(kinds, object.Kind)
		if object.Kind == "Service" && object.Spec.ClusterIP != layout.DNSServiceIP {
			t.Errorf("DNS service has address %s, but kubelet gives pods %s", object.Spec.ClusterIP, layout.DNSServiceIP)
		}
		if object.Kind == "ConfigMap" && !strings.Contains(object.Data["Corefile"], "kubernetes "+layout.ClusterDomain+" ") {
			t.Errorf("Corefile does not serve %s:\n%s", layout.ClusterDomain, object.Data["Corefile"])
		}
	}
	want := []string{"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment", "Service"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestImageContainsOneBinaryAndRunsIt(t *testing.T) {
	folder := t.TempDir()
	binary, archive := filepath.Join(folder, "pause"), filepath.Join(folder, "pause.tar")
	if err := os.WriteFile(binary, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeImage(archive, "kube-imds.io/local/pause:1", binary); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("platform = %s/%s", config.OS, config.Architecture)
	}
	if diff := cmp.Diff([]string{"/run"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	files := mutate.Extract(image)
	defer files.Close()
	reader := tar.NewReader(files)
	header, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != "run" || header.FileInfo().Mode().Perm() != 0o755 || string(content) != "program" {
		t.Errorf("file = %s, mode %s, content %q", header.Name, header.FileInfo().Mode(), content)
	}
	if _, err := reader.Next(); err != io.EOF {
		t.Errorf("image contains more than one file: %v", err)
	}
}
