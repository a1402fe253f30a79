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

// recipeFolder is where the repository of newRepository has its recipe.
const recipeFolder = "test/apps/shell"

// newRepository has a recipe that is a shell script's one file.
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

// read reads the recipe.
func read(t *testing.T, root string) Recipe {
	t.Helper()
	r, err := Read(filepath.Join(root, recipeFolder), "shell")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// build builds the image, and gives where it is kept and whether that took any work.
func build(t *testing.T, root, cache string) (kept string, worked bool) {
	t.Helper()
	var progress bytes.Buffer
	b, err := NewBuilder(root, cache, &progress)
	if err != nil {
		t.Fatal(err)
	}
	archive, lacks, err := b.Build(t.Context(), read(t, root), "1.2.3", t.TempDir())
	if err != nil || lacks != "" {
		t.Fatalf("the image lacks %q: %v", lacks, err)
	}
	kept, err = os.Readlink(archive)
	if err != nil {
		t.Fatal(err)
	}
	return kept, progress.Len() > 0
}

func TestImageHoldsWhatTheScriptMade(t *testing.T) {
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
		"a file":    func() { writeFile(t, root, recipeFolder+"/extra", "x", 0o644) },
		"a mode": func() {
			if err := os.Chmod(filepath.Join(root, recipeFolder+"/image.json"), 0o600); err != nil {
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
	writeFile(t, root, recipeFolder+"/build", "#!/bin/sh\nset -e\necho call >>\"$3/calls\"\nmkdir \"$1/app\"\n", 0o755)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { build(t, root, cache) })
	}
	group.Wait()
	if calls, err := os.ReadFile(filepath.Join(cache, "recipes/tools/calls")); err != nil || string(calls) != "call\n" {
		t.Errorf("the script was called %d times, want once: %v", strings.Count(string(calls), "\n"), err)
	}
}

func TestScriptThatFailsSaysWhy(t *testing.T) {
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
			t.Errorf("of a build that failed there is %v, %v", left, err)
		}
	}
}

func TestImageThatCannotBeBuiltHereSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	out := t.TempDir()
	writeFile(t, root, recipeFolder+"/image.json", `{"entrypoint": ["/app/client"], "needs": ["sh", "no-such-program"]}`, 0o644)
	writeFile(t, out, "shell-"+runtime.GOARCH+".tar", "one of before", 0o644)
	b, err := NewBuilder(root, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	archive, lacks, err := b.Build(t.Context(), read(t, root), "1.2.3", out)
	if archive != "" || lacks != "no-such-program" || err != nil {
		t.Errorf("it lacks %q: %q, %v", lacks, archive, err)
	}
	if left, err := filepath.Glob(filepath.Join(out, "*")); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
}

func TestFolderThatIsNoRecipeIsRefused(t *testing.T) {
	t.Parallel()
	root := newRepository(t)
	if _, err := Read(root, "shell"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder without image.json: %v", err)
	}
	for _, wrong := range []string{`{"entrypoint": []}`, `{"entrypoint": ["/x"], "packages": []}`, `{`} {
		writeFile(t, root, recipeFolder+"/image.json", wrong, 0o644)
		if _, err := Read(filepath.Join(root, recipeFolder), "shell"); err == nil {
			t.Errorf("image.json is taken: %s", wrong)
		}
	}
}
