package recipe

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kube-imds/kube-imds/hack/internal/atomically"
	"github.com/kube-imds/kube-imds/hack/internal/lock"
	"github.com/kube-imds/kube-imds/hack/internal/product"
	"github.com/kube-imds/kube-imds/hack/internal/progress"
)

// formatVersion changes when the same inputs give another image.
const formatVersion = "2"

// Builder builds images for this machine's platform, and caches them until an input changes.
type Builder struct {
	// version is formatVersion and the platform.
	version string

	// versionsPath is test/sdks/versions.json, and debian the version of Debian that it pins.
	versionsPath string
	debian       string

	cache    string
	progress io.Writer
}

// NewBuilder returns a builder for the repository at root that caches images below the folder cache and reports to
// progress.
func NewBuilder(root, cache string, progress io.Writer) (Builder, error) {
	versions, err := Versions(root)
	if err != nil {
		return Builder{}, err
	}
	b := Builder{
		version:      formatVersion + " " + runtime.GOOS + "/" + runtime.GOARCH,
		versionsPath: versionsPath(root),
		debian:       versions[debianVersion],
		cache:        filepath.Join(cache, "recipes"),
		progress:     progress,
	}
	return b, os.MkdirAll(b.cache, 0o755)
}

// Build puts the archive of an image into the folder out, as IMAGE-ARCH.tar, and returns its path. It builds the image
// unless it is cached. If this machine lacks something for it, there is no archive, and lacks says what.
func (b Builder) Build(ctx context.Context, r Recipe, tag, out string) (path, lacks string, err error) {
	path = filepath.Join(out, r.Image+"-"+runtime.GOARCH+".tar")
	for _, program := range r.specification.Needs {
		if _, err := exec.LookPath(program); err != nil {
			return "", program, os.RemoveAll(path)
		}
	}
	kept, err := b.keep(ctx, r, tag)
	if err != nil {
		return "", "", err
	}
	return path, "", atomically.Replace(path, func(next string) error { return os.Symlink(kept, next) })
}

// keep returns the cached archive of an image, building it if necessary.
func (b Builder) keep(ctx context.Context, r Recipe, tag string) (archive string, err error) {
	made, err := keyOf([]string{b.version, tag}, r.dir, b.versionsPath)
	if err != nil {
		return "", err
	}
	archive = filepath.Join(b.cache, r.Image+"-"+made.String()+".tar")
	if isThere(archive) {
		return archive, nil
	}
	base, err := b.buildBase(ctx, r.specification.Base)
	if err != nil {
		return "", fmt.Errorf("make the base of %s: %w", r.Image, err)
	}
	// All versions of an image are built with the same tools, which use the same folders.
	err = b.once(ctx, archive, filepath.Join(b.cache, r.Image+".lock"), r.Image, func() error {
		return inTemporaryFolder(func(files string) error {
			if err := b.runScript(ctx, r, files); err != nil {
				return err
			}
			return b.writeImage(archive, r, tag, base, files)
		})
	})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", r.Image, err)
	}
	return archive, nil
}

// once makes a cached file unless it exists. Of several concurrent callers, one makes it and the others wait.
func (b Builder) once(ctx context.Context, path, lockPath, what string, make func() error) error {
	if isThere(path) {
		return nil
	}
	waiting := func(holder string) { fmt.Fprintf(b.progress, "waiting for %s, which builds %s\n", holder, what) }
	return lock.While(ctx, lockPath, waiting, func() error {
		if isThere(path) {
			return nil
		}
		defer progress.Report(b.progress, what)()
		return make()
	})
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runScript runs the recipe's script, which fills a folder with files.
func (b Builder) runScript(ctx context.Context, r Recipe, files string) error {
	tools := filepath.Join(b.cache, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	script, err := filepath.Abs(filepath.Join(r.dir, "build"))
	if err != nil {
		return err
	}
	versions, err := filepath.Abs(b.versionsPath)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, script, files, versions, tools)
	// This program's Go command names a toolchain in the environment, which the script should not inherit.
	command.Env = append(os.Environ(), "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w:\n%s", script, err, lastLines(string(output)))
	}
	return nil
}

// writeImage combines the base and the recipe's files.
func (b Builder) writeImage(archive string, r Recipe, tag, base, files string) error {
	return inTemporaryFolder(func(folder string) error {
		own := filepath.Join(folder, "layer.tar")
		if err := writeLayer(own, files); err != nil {
			return err
		}
		image, err := newImage(r.specification, base, own)
		if err != nil {
			return err
		}
		reference, err := name.NewTag(product.Reference(r.Image, tag))
		if err != nil {
			return err
		}
		return atomically.Replace(archive, func(path string) error { return tarball.WriteToFile(path, reference, image) })
	})
}
