package binaries

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	semver "golang.org/x/mod/module"

	"github.com/kube-imds/kube-imds/hack/internal/lock"
)

// newBuilder returns a builder of modules that pin each tool at the version of versionFor, with the shell script goCommand in
// place of go. calls returns how often that was called.
func newBuilder(t *testing.T, goCommand string) (builder Builder, calls func() int) {
	t.Helper()
	folder := t.TempDir()
	for _, tool := range tools {
		writeFile(t, filepath.Join(folder, "tools", tool.folder, "go.mod"),
			"module example.com/"+tool.folder+"\n\ngo 1.26.0\n\nrequire "+tool.module+" "+versionFor(tool.module)+"\n")
	}
	log := filepath.Join(folder, "calls")
	writeFile(t, filepath.Join(folder, "path", "go"), "#!/bin/sh\necho call >>"+log+"\n"+goCommand)
	t.Setenv("PATH", filepath.Join(folder, "path")+":"+os.Getenv("PATH"))
	builder = Builder{Tools: filepath.Join(folder, "tools"), Cache: filepath.Join(folder, "cache"), Progress: t.Output()}
	return builder, func() int {
		content, _ := os.ReadFile(log)
		return strings.Count(string(content), "\n")
	}
}

// versionFor returns a version that the module's path allows.
func versionFor(module string) string {
	if _, major, _ := semver.SplitPathVersion(module); major != "" {
		return strings.TrimPrefix(major, "/") + ".2.3"
	}
	return "v1.2.3"
}

// fakeBuild stands in for go build -o PATH …: it writes the file.
const fakeBuild = `echo built >"$3"`

func TestBinaryIsBuiltOnce(t *testing.T) {
	builder, calls := newBuilder(t, fakeBuild)
	for range 2 {
		folder, err := builder.Build(t.Context(), "etcd")
		if err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(filepath.Join(folder, "etcd")); err != nil || string(content) != "built\n" {
			t.Fatalf("content = %q, error %v, want built", content, err)
		}
	}
	if got := calls(); got != 1 {
		t.Errorf("Go was called %d times, want once", got)
	}
}

func TestBinariesOfAClusterAreBuiltByDefault(t *testing.T) {
	builder, calls := newBuilder(t, fakeBuild)
	folder, err := builder.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range allNames() {
		if want := name != "vault-transit"; exists(filepath.Join(folder, name)) != want {
			t.Errorf("%s: want built = %t", name, want)
		}
	}
	if got, want := calls(), len(allNames())-1; got != want {
		t.Errorf("Go was called %d times, want %d", got, want)
	}
}

func TestChangedProgramIsBuiltAgain(t *testing.T) {
	builder, calls := newBuilder(t, fakeBuild)
	for _, content := range []string{"one", "one", "another"} {
		writeFile(t, filepath.Join(builder.Tools, "vault", "main.go"), content)
		if _, err := builder.Build(t.Context(), "vault-transit"); err != nil {
			t.Fatal(err)
		}
	}
	if got := calls(); got != 2 {
		t.Errorf("Go was called %d times, want twice", got)
	}
}

func TestNewVersionDoesNotReplaceTheOldOne(t *testing.T) {
	builder, calls := newBuilder(t, fakeBuild)
	before, err := builder.Build(t.Context(), "etcd")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(builder.Tools, "etcd", "go.mod"), "module example.com/etcd\n\nrequire go.etcd.io/etcd/server/v3 v3.9.9\n")
	after, err := builder.Build(t.Context(), "etcd")
	if err != nil {
		t.Fatal(err)
	}
	if before == after || calls() != 2 {
		t.Errorf("got %d builds in %s and %s, want 2 in separate folders", calls(), before, after)
	}
	if !exists(filepath.Join(before, "etcd")) {
		t.Error("old version was removed, but a cluster may use it")
	}
}

func TestFailedBuildLeavesNothingAndReportsWhy(t *testing.T) {
	builder, _ := newBuilder(t, `echo half >"$3"; echo "no package libseccomp" >&2; exit 1`)
	_, err := builder.Build(t.Context(), "runc")
	if err == nil {
		t.Fatal("failed build returned no error")
	}
	for _, part := range []string{"build runc v1.2.3", "no package libseccomp", "libseccomp-dev"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q: %v", part, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(builder.Cache, "tools", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("failed build left %v, error %v", left, err)
	}
}

func TestUnknownNameIsRefusedBeforeBuilding(t *testing.T) {
	builder, calls := newBuilder(t, fakeBuild)
	_, err := builder.Build(t.Context(), "etcd", "kubeadm")
	if err == nil || !strings.Contains(err.Error(), `no binary "kubeadm": there are containerd,`) {
		t.Errorf("got error %v, want the names of all binaries", err)
	}
	if calls() != 0 {
		t.Error("something was built before the name was refused")
	}
}

func TestConcurrentBuildsRunOnce(t *testing.T) {
	const builders = 4
	builder, calls := newBuilder(t, fakeBuild)
	held, err := lock.Try(storeOf(t, builder, "etcd") + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	waiting, errs := make(chan string, builders), make(chan error, builders)
	builder.Progress = writer(func(line string) { waiting <- line })
	for range builders {
		go func() {
			_, err := builder.Build(t.Context(), "etcd")
			errs <- err
		}()
	}
	for range builders {
		want := fmt.Sprintf("waiting for process %d (", os.Getpid())
		if line := <-waiting; !strings.HasPrefix(line, want) || !strings.HasSuffix(line, "which builds etcd v3.2.3\n") {
			t.Errorf("got line %q, want %q", line, want)
		}
	}
	go func() {
		for range waiting {
		}
	}()
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	for range builders {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := calls(); got != 1 {
		t.Errorf("Go was called %d times, want once", got)
	}
}

// writer is an io.Writer that calls a function with each write.
type writer func(string)

func (w writer) Write(text []byte) (int, error) {
	w(string(text))
	return len(text), nil
}

// storeOf returns the folder of a tool's binaries in the cache.
func storeOf(t *testing.T, builder Builder, folder string) string {
	t.Helper()
	for _, tool := range tools {
		if tool.folder == folder {
			return filepath.Join(builder.Cache, "tools", tool.key(versionFor(tool.module)))
		}
	}
	t.Fatalf("unknown tool %s", folder)
	return ""
}

func TestNextBuildRemovesFilesOfAKilledOne(t *testing.T) {
	builder, _ := newBuilder(t, fakeBuild)
	left := filepath.Join(storeOf(t, builder, "etcd"), "building-1")
	writeFile(t, filepath.Join(left, "etcd"), "half")
	if _, err := builder.Build(t.Context(), "etcd"); err != nil {
		t.Fatal(err)
	}
	if exists(left) {
		t.Error("files of the killed build still exist")
	}
}

func TestKubernetesIsLinkedWithItsVersion(t *testing.T) {
	want := "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 " +
		"-X k8s.io/component-base/version.gitMinor=37 -X k8s.io/component-base/version.gitTreeState=clean"
	if diff := cmp.Diff(want, kubernetesVersion("v1.37.2")); diff != "" {
		t.Errorf("linker flags (-want +got):\n%s", diff)
	}
}

func TestKeyDependsOnVersionTagsAndLinkerFlags(t *testing.T) {
	base := tool{folder: "runc", tags: "seccomp"}
	key := base.key("v1.5.2")
	if !strings.HasPrefix(key, "runc-v1.5.2-") || key != base.key("v1.5.2") {
		t.Errorf("key = %q on %s", key, runtime.GOARCH)
	}
	tagged := base
	tagged.tags = ""
	linked := base
	linked.linker = func(string) string { return "-X main.version=1" }
	for name, other := range map[string]string{"version": base.key("v1.5.3"), "tags": tagged.key("v1.5.2"), "linker": linked.key("v1.5.2")} {
		if other == key {
			t.Errorf("another %s gives the same key %s", name, key)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}
