package recipe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/hack/internal/atomically"
	"github.com/kube-imds/kube-imds/hack/internal/debian"
)

// removed is what no image needs of a Debian system.
var removed = []string{
	"var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info",
}

// buildBase returns the layer of a Debian system with packages, or none for an empty base. Layers are cached, and shared
// between images with the same packages.
func (b Builder) buildBase(ctx context.Context, packages []string) (layer string, err error) {
	if packages == nil {
		return "", nil
	}
	packages = slices.Sorted(slices.Values(packages))
	made, err := keyOf(append([]string{b.version, b.debian}, packages...))
	if err != nil {
		return "", err
	}
	layer = filepath.Join(b.cache, "base-"+made.String()+".tar")
	what := fmt.Sprintf("debian %s with %s", b.debian, strings.Join(packages, ", "))
	return layer, b.once(ctx, layer, layer+".lock", what, func() error {
		return inTemporaryFolder(func(root string) error {
			if err := b.bootstrap(ctx, root, packages); err != nil {
				return err
			}
			for _, path := range removed {
				if err := os.RemoveAll(filepath.Join(root, path)); err != nil {
					return err
				}
			}
			return writeLayer(layer, root)
		})
	})
}

func (b Builder) bootstrap(ctx context.Context, root string, packages []string) error {
	if os.Geteuid() != 0 {
		return errors.New("debootstrap makes a Debian system as root alone: run this with sudo")
	}
	there := debian.HasProgram("debootstrap")
	if err := debian.Install(ctx, "a Debian base", b.progress, debian.Need{There: there, Package: "debootstrap"}); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","),
		b.debian, root)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("debootstrap: %w:\n%s", err, lastLines(string(output)))
	}
	return nil
}

// writeLayer archives a folder as a cached layer.
func writeLayer(layer, folder string) error {
	return atomically.Replace(layer, func(path string) error {
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(archive(folder, file), file.Close())
	})
}

func inTemporaryFolder(use func(folder string) error) error {
	folder, err := os.MkdirTemp("", "kube-imds-recipe-")
	if err != nil {
		return err
	}
	return errors.Join(use(folder), os.RemoveAll(folder))
}

// lastLines returns the lines that say what went wrong.
func lastLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
