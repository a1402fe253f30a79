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

// pinned makes a folder of tools modules, each of which pins its tool at v1.2.3, and a Go command that counts its calls.
func pinned(t *testing.T, goCommand string) (builder Builder, calls func() int) {
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

// versionFor gives a module a version that its path allows.
func versionFor(module string) string {
	if _, major, _ := semver.SplitPathVersion(module); major != "" {
		return strings.TrimPrefix(major, "/") + ".2.3"
	}
	return "v1.2.3"
}

// builds is a Go command that writes what it is asked to build: go build -o PATH …
const builds = `echo built >"$3"`

func TestABinaryIsBuiltOnce(t *testing.T) {
	builder, calls := pinned(t, builds)
	for range 2 {
		folder, err := builder.Build(t.Context(), "etcd")
		if err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(filepath.Join(folder, "etcd")); err != nil || string(content) != "built\n" {
			t.Fatalf("etcd is %q, %v", content, err)
		}
	}
	if got := calls(); got != 1 {
		t.Errorf("Go was called %d times, want once", got)
	}
}

func TestWithoutNamesAllOfAClusterAreBuilt(t *testing.T) {
	builder, calls := pinned(t, builds)
	folder, err := builder.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range allNames() {
		if want := name != "vault-transit"; exists(filepath.Join(folder, name)) != want {
			t.Errorf("that %s is to be built: %t", name, want)
		}
	}
	if got, want := calls(), len(allNames())-1; got != want {
		t.Errorf("Go was called %d times, want %d", got, want)
	}
}

func TestAChangedProgramIsBuiltAnew(t *testing.T) {
	builder, calls := pinned(t, builds)
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

func TestANewVersionIsBuiltAndTheOldOneStays(t *testing.T) {
	builder, calls := pinned(t, builds)
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
		t.Errorf("%d builds, in %s and %s, want two in two folders", calls(), before, after)
	}
	if !exists(filepath.Join(before, "etcd")) {
		t.Error("the old version is gone, from under a cluster that may run it")
	}
}

func TestAFailedBuildLeavesNothingAndShowsWhy(t *testing.T) {
	builder, _ := pinned(t, `echo half >"$3"; echo "no package libseccomp" >&2; exit 1`)
	_, err := builder.Build(t.Context(), "runc")
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"build runc v1.2.3", "no package libseccomp", "libseccomp-dev"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(builder.Cache, "tools", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the failed build left %v, %v", left, err)
	}
}

func TestAnUnknownNameIsRefusedBeforeAnythingIsBuilt(t *testing.T) {
	builder, calls := pinned(t, builds)
	_, err := builder.Build(t.Context(), "etcd", "kubeadm")
	if err == nil || !strings.Contains(err.Error(), `no binary "kubeadm": there are containerd,`) {
		t.Errorf("got %v, want the names that there are", err)
	}
	if calls() != 0 {
		t.Error("something was built")
	}
}

func TestOfSeveralAtOnceOneBuilds(t *testing.T) {
	const builders = 4
	builder, calls := pinned(t, builds)
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
			t.Errorf("it says %q, want %q", line, want)
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

// writer is told what is written.
type writer func(string)

func (w writer) Write(text []byte) (int, error) {
	w(string(text))
	return len(text), nil
}

// storeOf is where a tool's binaries are kept.
func storeOf(t *testing.T, builder Builder, folder string) string {
	t.Helper()
	for _, tool := range tools {
		if tool.folder == folder {
			return filepath.Join(builder.Cache, "tools", tool.key(versionFor(tool.module)))
		}
	}
	t.Fatalf("there is no tool %s", folder)
	return ""
}

func TestTheNextBuildSweepsAwayWhatAKilledOneLeft(t *testing.T) {
	builder, _ := pinned(t, builds)
	left := filepath.Join(storeOf(t, builder, "etcd"), "building-1")
	writeFile(t, filepath.Join(left, "etcd"), "half")
	if _, err := builder.Build(t.Context(), "etcd"); err != nil {
		t.Fatal(err)
	}
	if exists(left) {
		t.Error("it is still there")
	}
}

func TestKubernetesIsToldItsVersion(t *testing.T) {
	want := "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 " +
		"-X k8s.io/component-base/version.gitMinor=37 -X k8s.io/component-base/version.gitTreeState=clean"
	if diff := cmp.Diff(want, kubernetesVersion("v1.37.2")); diff != "" {
		t.Errorf("linker flags (-want +got):\n%s", diff)
	}
}

func TestEachBuildHasItsKey(t *testing.T) {
	base := tool{folder: "runc", tags: "seccomp"}
	key := base.key("v1.5.2")
	if !strings.HasPrefix(key, "runc-v1.5.2-") || key != base.key("v1.5.2") {
		t.Errorf("key %q of %s", key, runtime.GOARCH)
	}
	tagged := base
	tagged.tags = ""
	linked := base
	linked.linker = func(string) string { return "-X main.version=1" }
	for name, other := range map[string]string{"version": base.key("v1.5.3"), "tags": tagged.key("v1.5.2"), "linker": linked.key("v1.5.2")} {
		if other == key {
			t.Errorf("another %s makes the same key %s", name, key)
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
