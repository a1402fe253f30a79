package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// newRepository has a client that is a shell script's one file.
func newRepository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	writeFile(t, root, "charts/kube-imds/Chart.yaml", "appVersion: 1.2.3\n", 0o644)
	writeFile(t, root, "test/sdks/versions.json", `{"debian": "bookworm", "shell": "5"}`, 0o644)
	writeFile(t, root, "test/sdks/clients/shell/image.json",
		`{"base": null, "entrypoint": ["/app/client"], "env": {"B": "2", "A": "1"}}`, 0o644)
	writeFile(t, root, "test/sdks/clients/shell/build", "#!/bin/sh\nset -e\ntest -d \"$3\"\nmkdir \"$1/app\"\ncp \"$2\" \"$1/app/client\"\n", 0o755)
	return root
}

func writeFile(t *testing.T, root, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// build builds the client and tells whether that took any work.
func build(t *testing.T, root, cache string) (archive string, worked bool) {
	t.Helper()
	var progress bytes.Buffer
	b, err := newBuilder(root, cache, &progress)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := findClients(filepath.Join(root, "test/sdks/clients"), nil)
	if err != nil {
		t.Fatal(err)
	}
	archive, lacks, err := b.build(t.Context(), clients[0], "1.2.3")
	if err != nil || lacks != "" {
		t.Fatalf("the client lacks %q: %v", lacks, err)
	}
	return archive, progress.Len() > 0
}

func TestImageHoldsWhatTheScriptMade(t *testing.T) {
	t.Parallel()
	archive, _ := build(t, newRepository(t), t.TempDir())
	tag, err := name.NewTag("kube-imds/sdk-shell:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "A=1", "B=2"}, config.Config.Env); diff != "" {
		t.Errorf("the environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/app/client"}, config.Config.Entrypoint); diff != "" || config.Config.User != "65532:65532" {
		t.Errorf("it runs %v as %q", config.Config.Entrypoint, config.Config.User)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("there are %d layers: %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app/ 755", "app/client 644"}, namesIn(t, content)); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}
}

func TestImageIsKeptUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	root, cache := newRepository(t), t.TempDir()
	first, worked := build(t, root, cache)
	if !worked {
		t.Error("nothing was built the first time")
	}
	if again, worked := build(t, root, cache); worked || again != first {
		t.Errorf("the same is built again, to %s", again)
	}
	last := first
	for name, change := range map[string]func(){
		"a version": func() { writeFile(t, root, "test/sdks/versions.json", `{"debian": "bookworm", "shell": "6"}`, 0o644) },
		"a file":    func() { writeFile(t, root, "test/sdks/clients/shell/extra", "x", 0o644) },
		"a mode": func() {
			if err := os.Chmod(filepath.Join(root, "test/sdks/clients/shell/image.json"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		change()
		again, worked := build(t, root, cache)
		if !worked || again == last {
			t.Errorf("%s changed, and the image is the old one", name)
		}
		last = again
	}
}

func TestOfSeveralAtOnceOneBuilds(t *testing.T) {
	t.Parallel()
	root, cache := newRepository(t), t.TempDir()
	writeFile(t, root, "test/sdks/clients/shell/build", "#!/bin/sh\nset -e\necho call >>\"$3/calls\"\nmkdir \"$1/app\"\n", 0o755)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { build(t, root, cache) })
	}
	group.Wait()
	if calls, err := os.ReadFile(filepath.Join(cache, "sdks/tools/calls")); err != nil || string(calls) != "call\n" {
		t.Errorf("the script was called %d times, want once: %v", strings.Count(string(calls), "\n"), err)
	}
}

func TestScriptThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	writeFile(t, root, "test/sdks/clients/shell/build", "#!/bin/sh\necho no such version >&2\nexit 1\n", 0o755)
	b, err := newBuilder(root, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := findClients(filepath.Join(root, "test/sdks/clients"), []string{"shell"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.build(t.Context(), clients[0], "1.2.3"); err == nil || !strings.Contains(err.Error(), "no such version") {
		t.Errorf("the error is %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(b.cache, "*.tar*"))
	if err != nil || len(kept) > 0 {
		t.Errorf("of a build that failed there is %v, %v", kept, err)
	}
}

func TestClientThatCannotBeBuiltHereIsPassedOver(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	writeFile(t, root, "test/sdks/clients/shell/image.json", `{"entrypoint": ["/app/client"], "needs": ["sh", "no-such-program"]}`, 0o644)
	b, err := newBuilder(root, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := findClients(filepath.Join(root, "test/sdks/clients"), nil)
	if err != nil {
		t.Fatal(err)
	}
	archive, lacks, err := b.build(t.Context(), clients[0], "1.2.3")
	if archive != "" || lacks != "no-such-program" || err != nil {
		t.Errorf("it lacks %q: %q, %v", lacks, archive, err)
	}
}

func TestClientsAreFoundByName(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	folder := filepath.Join(root, "test/sdks/clients")
	if _, err := findClients(folder, []string{"nothing"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a client that does not exist: %v", err)
	}
	for _, wrong := range []string{`{"entrypoint": []}`, `{"entrypoint": ["/x"], "packages": []}`, `{`} {
		writeFile(t, root, "test/sdks/clients/shell/image.json", wrong, 0o644)
		if _, err := findClients(folder, nil); err == nil {
			t.Errorf("image.json is taken: %s", wrong)
		}
	}
}

func TestArchiveIsTheSameForTheSameFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeFile(t, folder, "bin/program", "x", 0o700)
	writeFile(t, folder, "secret", "y", 0o600)
	if err := os.Symlink("program", filepath.Join(folder, "bin/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, to := range []*bytes.Buffer{&first, &second} {
		if err := archive(folder, to); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of the same files differ")
	}
	want := []string{"bin/ 755", "bin/link -> program", "bin/program 755", "secret 644", "tmp/ 1777"}
	if diff := cmp.Diff(want, namesIn(t, &first)); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}
}

// namesIn lists an archive: names with modes, and where links lead.
func namesIn(t *testing.T, content io.Reader) []string {
	t.Helper()
	var names []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.ModTime.Unix() != 0 {
			t.Errorf("%s is of user %d and of %s", header.Name, header.Uid, header.ModTime)
		}
		if header.Typeflag == tar.TypeSymlink {
			names = append(names, header.Name+" -> "+header.Linkname)
			continue
		}
		names = append(names, fmt.Sprintf("%s %o", header.Name, header.Mode))
	}
}
