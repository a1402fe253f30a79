package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds a command of the repository, from its root, into a folder as images have it, and returns the binary's path.
func Build(ctx context.Context, folder, name string) (string, error) {
	binary := filepath.Join(folder, name)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the %s: %w\n%s", name, err, output)
	}
	return binary, nil
}
