package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/hack/internal/lock"
	"github.com/kube-imds/kube-imds/hack/internal/progress"
)

// Builder builds binaries and caches them.
type Builder struct {
	// Tools is the folder of the modules that pin the versions: hack/tools.
	Tools string

	// Cache is the folder for binaries.
	Cache string

	// Progress receives what is being built.
	Progress io.Writer
}

// Build builds the named binaries if necessary; without names, a cluster's and Helm. It returns a folder with each of them
// by name.
func (b Builder) Build(ctx context.Context, names ...string) (string, error) {
	for _, name := range names {
		if !slices.Contains(allNames(), name) {
			return "", fmt.Errorf("there is no binary %q: there are %s", name, strings.Join(allNames(), ", "))
		}
	}
	folder, err := b.folder()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of binaries: %w", err)
	}
	for _, tool := range tools {
		if err := b.buildTool(ctx, tool, wantedOf(tool, names), folder); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// folder returns the folder for the combination of pinned versions: a running cluster keeps its binaries when a version
// changes.
func (b Builder) folder() (string, error) {
	sum := sha256.New()
	for _, tool := range tools {
		version, err := tool.version(b.Tools)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, tool.key(version))
	}
	return filepath.Join(b.Cache, "bin", hex.EncodeToString(sum.Sum(nil)[:4])), nil
}

func wantedOf(tool tool, names []string) []string {
	all := slices.Sorted(maps.Keys(tool.packages))
	if len(names) == 0 {
		if tool.forTests {
			return nil
		}
		return all
	}
	return slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(names, name) })
}

func allNames() []string {
	var names []string
	for _, tool := range tools {
		names = slices.AppendSeq(names, maps.Keys(tool.packages))
	}
	slices.Sort(names)
	return names
}

// buildTool builds the missing binaries of a tool in one go, and links them into the folder.
func (b Builder) buildTool(ctx context.Context, tool tool, wanted []string, folder string) error {
	if len(wanted) == 0 {
		return nil
	}
	version, err := tool.version(b.Tools)
	if err != nil {
		return err
	}
	store := filepath.Join(b.Cache, "tools", tool.key(version))
	if len(missingOf(store, wanted)) > 0 {
		if err := b.compile(ctx, tool, version, wanted, store); err != nil {
			return err
		}
	}
	for _, name := range wanted {
		if err := link(filepath.Join(store, name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// missingOf returns the names without a binary in a store.
func missingOf(store string, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return exists(filepath.Join(store, name)) })
}

// compile builds what is missing. Of several concurrent callers, one builds and the others wait.
func (b Builder) compile(ctx context.Context, tool tool, version string, wanted []string, store string) error {
	waiting := func(holder string) {
		fmt.Fprintf(b.Progress, "waiting for %s, which builds %s %s\n", holder, tool.folder, version)
	}
	return lock.While(ctx, store+".lock", waiting, func() error {
		if err := os.MkdirAll(store, 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", tool.folder, err)
		}
		sweep(store)
		return b.compileInto(ctx, tool, version, missingOf(store, wanted), store)
	})
}

// compileInto builds into a temporary folder and moves complete binaries into the store, so that an interrupted build
// leaves nothing half done.
func (b Builder) compileInto(ctx context.Context, tool tool, version string, names []string, store string) error {
	work, err := os.MkdirTemp(store, "building-")
	if err != nil {
		return fmt.Errorf("make a folder to build in: %w", err)
	}
	defer os.RemoveAll(work)
	for _, name := range names {
		stop := progress.Report(b.Progress, fmt.Sprintf("building %s %s", name, version))
		output, err := b.goBuild(ctx, tool, version, name, filepath.Join(work, name))
		stop()
		if err != nil {
			return fmt.Errorf("build %s %s: %w\n%s%s", name, version, err, output, tool.hint())
		}
		if err := os.Rename(filepath.Join(work, name), filepath.Join(store, name)); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return nil
}

func (b Builder) goBuild(ctx context.Context, tool tool, version, name, path string) (output []byte, err error) {
	arguments := append([]string{"build", "-o", path}, tool.flags(version)...)
	command := exec.CommandContext(ctx, "go", append(arguments, tool.packages[name])...)
	command.Dir = filepath.Join(b.Tools, tool.folder)
	command.Env = append(os.Environ(), "CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[tool.cgo])
	return command.CombinedOutput()
}

// sweep removes the folders of killed builds: the holder of the store's lock finds no others. A folder that cannot be
// removed only wastes disk.
func sweep(store string) {
	folders, _ := filepath.Glob(filepath.Join(store, "building-*"))
	for _, folder := range folders {
		_ = os.RemoveAll(folder)
	}
}

// link makes path a symbolic link to target, and replaces what was there.
func link(target, path string) error {
	if current, err := os.Readlink(path); err == nil && current == target {
		return nil
	}
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(target, temporary); err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
