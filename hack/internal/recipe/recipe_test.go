package recipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// recipeFolder is the folder of the recipe in the repository of newRepository.
const recipeFolder = "test/apps/shell"

// newRepository returns a repository with a recipe, a shell script that makes one file.
func newRepository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	writeFile(t, root, "test/sdks/versions.json", `{"debian": "bookworm", "shell": "5"}`, 0o644)
	writeFile(t, root, recipeFolder+"/image.json",
		`{"base": null, "entrypoint": ["/app/client"], "env": {"B": "2", "A": "1"}}`, 0o644)
	writeFile(t, root, recipeFolder+"/build", "#!/bin/sh\nset -e\ntest -d \"$3\"\nmkdir \"$1/app\"\ncp \"$2\" \"$1/app/client\"\n", 0o755)
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

func read(t *testing.T, root string) Recipe {
	t.Helper()
	r, err := Read(filepath.Join(root, recipeFolder), "shell")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// build builds the image and returns the archive's path in the cache. built reports whether the cache lacked it.
func build(t *testing.T, root, cache string) (cached string, built bool) {
	t.Helper()
	var progress bytes.Buffer
	b, err := NewBuilder(root, cache, &progress)
	if err != nil {
		t.Fatal(err)
	}
	archive, missing, err := b.Build(t.Context(), read(t, root), "1.2.3", t.TempDir())
	if err != nil || missing != "" {
		t.Fatalf("missing program %q, error %v", missing, err)
	}
	cached, err = os.Readlink(archive)
	if err != nil {
		t.Fatal(err)
	}
	return cached, progress.Len() > 0
}

func TestImageContainsTheScriptsFiles(t *testing.T) {
	t.Parallel()
	archive, _ := build(t, newRepository(t), t.TempDir())
	tag, err := name.NewTag("kube-imds/shell:1.2.3")
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
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/app/client"}, config.Config.Entrypoint); diff != "" || config.Config.User != "65532:65532" {
		t.Errorf("entrypoint = %v, user %q", config.Config.Entrypoint, config.Config.User)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("image has %d layers, error %v, want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app/ 755", "app/client 644"}, namesIn(t, content)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestImageIsCachedUntilTheRecipeChanges(t *testing.T) {
	t.Parallel()
	root, cache := newRepository(t), t.TempDir()
	first, built := build(t, root, cache)
	if !built {
		t.Error("nothing was built at first")
	}
	if again, built := build(t, root, cache); built || again != first {
		t.Errorf("unchanged image was built again as %s", again)
	}
	last := first
	for name, change := range map[string]func(){
		"version": func() { writeFile(t, root, "test/sdks/versions.json", `{"debian": "bookworm", "shell": "6"}`, 0o644) },
		"file":    func() { writeFile(t, root, recipeFolder+"/extra", "x", 0o644) },
		"mode": func() {
			if err := os.Chmod(filepath.Join(root, recipeFolder+"/image.json"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		change()
		again, built := build(t, root, cache)
		if !built || again == last {
			t.Errorf("%s changed, but the image was not built again", name)
		}
		last = again
	}
}

func TestConcurrentBuildsRunTheScriptOnce(t *testing.T) {
	t.Parallel()
	root, cache := newRepository(t), t.TempDir()
	writeFile(t, root, recipeFolder+"/build", "#!/bin/sh\nset -e\necho call >>\"$3/calls\"\nmkdir \"$1/app\"\n", 0o755)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { build(t, root, cache) })
	}
	group.Wait()
	if calls, err := os.ReadFile(filepath.Join(cache, "recipes/tools/calls")); err != nil || string(calls) != "call\n" {
		t.Errorf("script was called %d times, want once: %v", strings.Count(string(calls), "\n"), err)
	}
}

func TestErrorContainsTheScriptsOutput(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	writeFile(t, root, recipeFolder+"/build", "#!/bin/sh\necho no such version >&2\nexit 1\n", 0o755)
	b, err := NewBuilder(root, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, _, err := b.Build(t.Context(), read(t, root), "1.2.3", out); err == nil || !strings.Contains(err.Error(), "no such version") {
		t.Errorf("got error %v", err)
	}
	for _, folder := range []string{b.cache, out} {
		if left, err := filepath.Glob(filepath.Join(folder, "*.tar*")); err != nil || len(left) > 0 {
			t.Errorf("failed build left %v, error %v", left, err)
		}
	}
}

func TestMissingProgramIsReported(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	out := t.TempDir()
	writeFile(t, root, recipeFolder+"/image.json", `{"entrypoint": ["/app/client"], "needs": ["sh", "no-such-program"]}`, 0o644)
	writeFile(t, out, "shell-"+runtime.GOARCH+".tar", "one of before", 0o644)
	b, err := NewBuilder(root, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	archive, missing, err := b.Build(t.Context(), read(t, root), "1.2.3", out)
	if archive != "" || missing != "no-such-program" || err != nil {
		t.Errorf("missing program = %q, archive %q, error %v", missing, archive, err)
	}
	if left, err := filepath.Glob(filepath.Join(out, "*")); err != nil || len(left) > 0 {
		t.Errorf("folder contains %v, error %v, want nothing", left, err)
	}
}

func TestInvalidRecipeIsRefused(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	if _, err := Read(root, "shell"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder without image.json: got error %v", err)
	}
	for _, invalid := range []string{`{"entrypoint": []}`, `{"entrypoint": ["/x"], "packages": []}`, `{`} {
		writeFile(t, root, recipeFolder+"/image.json", invalid, 0o644)
		if _, err := Read(filepath.Join(root, recipeFolder), "shell"); err == nil {
			t.Errorf("invalid image.json was accepted: %s", invalid)
		}
	}
}
