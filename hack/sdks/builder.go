package main

import (
	"context"
	"encoding/json"
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

// builder builds images and keeps them.
type builder struct {
	// version is formatVersion and the platform.
	version string

	// versionsPath is test/sdks/versions.json, and versions what it says.
	versionsPath string
	versions     map[string]string

	cache    string
	progress io.Writer
}

func newBuilder(root, cache string, progress io.Writer) (builder, error) {
	b := builder{
		version:      formatVersion + " " + runtime.GOOS + "/" + runtime.GOARCH,
		versionsPath: filepath.Join(root, "test", "sdks", "versions.json"),
		cache:        filepath.Join(cache, "sdks"),
		progress:     progress,
	}
	text, err := os.ReadFile(b.versionsPath)
	if err != nil {
		return builder{}, fmt.Errorf("read the pinned versions: %w", err)
	}
	if err := json.Unmarshal(text, &b.versions); err != nil {
		return builder{}, fmt.Errorf("read the pinned versions in %s: %w", b.versionsPath, err)
	}
	return b, os.MkdirAll(b.cache, 0o755)
}

// build gives the archive of a client's image, which it makes unless it is kept. A client that this machine lacks
// something for has no archive, and lacks names what that is.
func (b builder) build(ctx context.Context, c client, tag string) (archive, lacks string, err error) {
	for _, program := range c.specification.Needs {
		if _, err := exec.LookPath(program); err != nil {
			return "", program, nil
		}
	}
	made, err := keyOf([]string{b.version, tag}, c.dir, b.versionsPath)
	if err != nil {
		return "", "", err
	}
	archive = filepath.Join(b.cache, c.name+"-"+made.String()+".tar")
	if isThere(archive) {
		return archive, "", nil
	}
	base, err := b.buildBase(ctx, c.specification.Base)
	if err != nil {
		return "", "", fmt.Errorf("make the base of %s: %w", c.name, err)
	}
	// All versions of a client are built with the same tools, which keep what they need in the same folders.
	err = b.once(ctx, archive, filepath.Join(b.cache, c.name+".lock"), c.name, func() error {
		return inTemporaryFolder(func(files string) error {
			if err := b.runScript(ctx, c, files); err != nil {
				return err
			}
			return b.writeImage(archive, c, tag, base, files)
		})
	})
	if err != nil {
		return "", "", fmt.Errorf("build %s: %w", c.name, err)
	}
	return archive, "", nil
}

// once makes a file that is kept, unless it is there. Of several that would at once, one makes it and the others wait.
func (b builder) once(ctx context.Context, path, lockPath, what string, make func() error) error {
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

// runScript has the client's own script fill a folder with files.
func (b builder) runScript(ctx context.Context, c client, files string) error {
	tools := filepath.Join(b.cache, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	script, err := filepath.Abs(filepath.Join(c.dir, "build"))
	if err != nil {
		return err
	}
	versions, err := filepath.Abs(b.versionsPath)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, script, files, versions, tools)
	// The Go command is told of a toolchain by the one that runs this, which is not the client's concern.
	command.Env = append(os.Environ(), "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w:\n%s", script, err, lastLines(string(output)))
	}
	return nil
}

// writeImage puts the base and the client's files together.
func (b builder) writeImage(archive string, c client, tag, base, files string) error {
	return inTemporaryFolder(func(folder string) error {
		own := filepath.Join(folder, "layer.tar")
		if err := writeLayer(own, files); err != nil {
			return err
		}
		image, err := newImage(c.specification, base, own)
		if err != nil {
			return err
		}
		reference, err := name.NewTag(product.Reference(c.image(), tag))
		if err != nil {
			return err
		}
		return atomically.Replace(archive, func(path string) error { return tarball.WriteToFile(path, reference, image) })
	})
}
