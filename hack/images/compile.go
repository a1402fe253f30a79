package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// executable is a compiled part.
type executable struct {
	path   string
	goos   string
	goarch string

	// digest is the file's SHA-256 in hexadecimal.
	digest string
}

// compile builds a static binary of a part. The Go command relinks only what has changed. It sets the variable "version" of
// the program's main package, if there is one.
func compile(ctx context.Context, root, dir string, part part, version, platform string) (executable, error) {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok || goos != "linux" {
		return executable{}, fmt.Errorf("%q is not a platform such as linux/amd64", platform)
	}
	path, err := filepath.Abs(filepath.Join(dir, goarch, part.name))
	if err != nil {
		return executable{}, err
	}
	// Without the commit, the same source gives the same image.
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+version, "-o", path, ".")
	command.Dir = filepath.Join(root, part.dir)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+goos, "GOARCH="+goarch)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return executable{}, fmt.Errorf("compile %s for %s: %w", part.dir, platform, err)
	}
	digest, err := fileDigest(path)
	if err != nil {
		return executable{}, err
	}
	return executable{path: path, goos: goos, goarch: goarch, digest: digest}, nil
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}
