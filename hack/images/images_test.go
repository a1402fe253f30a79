package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestSidecarImageContainsOneFileWithItsCapability(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	build(t, root, out, "sidecar")

	files := filesOf(t, archived(t, out, "sidecar"))
	if len(files) != 1 {
		t.Fatalf("image has %d files, want only the binary", len(files))
	}
	binary := files[0]
	if binary.Name != "sidecar" || binary.Mode != 0o755 || binary.Uid != 0 {
		t.Errorf("file = %s, mode %o, user %d, want sidecar, 755, 0", binary.Name, binary.Mode, binary.Uid)
	}
	want := string([]byte{0, 0, 0, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if got := binary.PAXRecords["SCHILY.xattr.security.capability"]; got != want {
		t.Errorf("capability = %q, want %q", got, want)
	}
}

func TestOtherPartsHaveNoCapability(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	build(t, root, out, "issuer")

	for _, file := range filesOf(t, archived(t, out, "issuer")) {
		if len(file.PAXRecords) != 0 {
			t.Errorf("%s has extended attributes: %q", file.Name, file.PAXRecords)
		}
	}
}

func TestImageRunsItsBinaryWithoutRoot(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	build(t, root, out, "controller")

	config, err := archived(t, out, "controller").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("user = %q, want 65532:65532", config.Config.User)
	}
	if diff := cmp.Diff([]string{"/controller"}, config.Config.Entrypoint); diff != "" {
		t.Error("entrypoint (-want +got)", diff)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("platform = %s/%s", config.OS, config.Architecture)
	}
	if got := config.Config.Labels["org.opencontainers.image.version"]; got != "1.2.3" {
		t.Errorf("version label = %q, want 1.2.3", got)
	}
}

func TestArchiveHasTheTagOfManifests(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	build(t, root, out, "controller")

	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) {
		return os.Open(filepath.Join(out, "controller-"+runtime.GOARCH+".tar"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kube-imds/controller:1.2.3"}, manifest[0].RepoTags); diff != "" {
		t.Error("tags (-want +got)", diff)
	}
}

func TestLayoutContainsAllPlatforms(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	part, err := findPart(root, "issuer")
	if err != nil {
		t.Fatal(err)
	}
	if err := buildPart(t.Context(), root, out, part, "1.2.3", []string{"linux/amd64", "linux/arm64"}); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(out, "issuer.oci"))
	if err != nil {
		t.Fatal(err)
	}
	outer, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := outer.Manifests[0].Annotations["io.containerd.image.name"]; got != "docker.io/kube-imds/issuer:1.2.3" {
		t.Errorf("image name = %q", got)
	}
	inner, err := index.ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, image := range manifest.Manifests {
		platforms = append(platforms, image.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Error("platforms (-want +got)", diff)
	}
}

func TestBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	first, second := t.TempDir(), t.TempDir()
	build(t, root, first, "sidecar")
	build(t, root, second, "sidecar")

	if digestOf(t, first, "sidecar") != digestOf(t, second, "sidecar") {
		t.Error("two builds of the same source differ")
	}
}

func TestOnlyChangedArchivesAreWritten(t *testing.T) {
	t.Parallel()
	root, out := newRepository(t), t.TempDir()
	build(t, root, out, "sidecar")
	archive := filepath.Join(out, "sidecar-"+runtime.GOARCH+".tar")
	before := stat(t, archive)

	build(t, root, out, "sidecar")
	if !os.SameFile(before, stat(t, archive)) {
		t.Error("archive of an unchanged part was written again")
	}
	writeFile(t, filepath.Join(root, "cmd/sidecar/main.go"), "package main\n\nfunc main() { println(1) }\n")
	build(t, root, out, "sidecar")
	if os.SameFile(before, stat(t, archive)) {
		t.Error("archive of a changed part was not written")
	}
}

func TestPartsAreFoundByName(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	writeFile(t, filepath.Join(root, "config/samples/demo/app/main.go"), "package main\n")
	writeFile(t, filepath.Join(root, "test/apps/prober/main.go"), "package main\n")
	writeFile(t, filepath.Join(root, "test/prove/main.go"), "package main\n")
	for name, want := range map[string]string{
		"prove":  "test/prove",
		"issuer": "cmd/issuer",
		"demo":   "config/samples/demo/app",
		"prober": "test/apps/prober",
	} {
		part, err := findPart(root, name)
		if err != nil || part.dir != want {
			t.Errorf("findPart(%s): got folder %q, error %v, want %q", name, part.dir, err, want)
		}
	}
	if _, err := findPart(root, "nothing"); err == nil {
		t.Error("unknown part was found")
	}
}

func TestImageIsBuiltFromRecipe(t *testing.T) {
	root, out := newRepository(t), t.TempDir()
	t.Setenv("KUBE_IMDS_CACHE", t.TempDir())
	writeFile(t, filepath.Join(root, "test/sdks/versions.json"), "{}")
	writeFile(t, filepath.Join(root, "test/apps/shell/image.json"), `{"entrypoint": ["/hello"]}`)
	script := filepath.Join(root, "test/apps/shell/build")
	writeFile(t, script, "#!/bin/sh\ncp \"$0\" \"$1/hello\"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, root, out, "shell")

	files := filesOf(t, archived(t, out, "shell"))
	if len(files) != 1 || files[0].Name != "hello" {
		t.Errorf("image contains %v, want only hello", files)
	}
}

func TestInvalidPlatformIsRefused(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"amd64", "windows/amd64", ""} {
		if _, err := compile(t.Context(), t.TempDir(), t.TempDir(), released[0], "1.2.3", platform); err == nil {
			t.Errorf("platform %q was accepted", platform)
		}
	}
}

// newRepository returns a repository with a program for every part.
func newRepository(t *testing.T) string {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "go.mod"), "module example.test/parts\n\ngo 1.26.0\n")
	for _, part := range released {
		writeFile(t, filepath.Join(root, part.dir, "main.go"), "package main\n\nvar version string\n\nfunc main() { println(version) }\n")
	}
	return root
}

// build builds a part for this machine's platform.
func build(t *testing.T, root, out, name string) {
	t.Helper()
	part, err := findPart(root, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := buildPart(t.Context(), root, out, part, "1.2.3", []string{"linux/" + runtime.GOARCH}); err != nil {
		t.Fatal(err)
	}
}

// archived reads a part's image from its archive.
func archived(t *testing.T, out, name string) v1.Image {
	t.Helper()
	image, err := tarball.ImageFromPath(filepath.Join(out, name+"-"+runtime.GOARCH+".tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digestOf(t *testing.T, out, name string) v1.Hash {
	t.Helper()
	digest, err := archived(t, out, name).Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// filesOf returns the files of an image's only layer.
func filesOf(t *testing.T, image v1.Image) []*tar.Header {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("image has %d layers, want 1", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var files []*tar.Header
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, header)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
