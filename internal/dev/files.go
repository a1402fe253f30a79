package dev

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/internal/dev/manifest"
)

// Files are the paths of the files that describe the cluster; "-" is standard input.
type Files struct {
	Paths []string

	// Namespace is that of objects that name none.
	Namespace string

	// Input is standard input, which is read once.
	Input io.Reader

	read []manifest.File
}

const (
	// maxFileBytes bounds a file. The API server takes objects of 1.5 MiB at the most.
	maxFileBytes = 16 << 20

	// pollInterval is how often files are read again. Polling survives editors, symlinks and mounted volumes that replace files.
	pollInterval = 500 * time.Millisecond
)

// Load reads and parses all files.
func (f *Files) Load() (*manifest.Manifest, error) {
	contents, err := f.contents()
	if err != nil {
		return nil, err
	}
	f.read = contents
	return manifest.Parse(f.Namespace, contents...)
}

// Watch calls changed with each new version of the files until the context ends, and failed with what is wrong with one.
func (f *Files) Watch(ctx context.Context, changed func(*manifest.Manifest), failed func(error)) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var lastFailure string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		objects, err := f.reload()
		switch {
		case err != nil && err.Error() != lastFailure:
			lastFailure = err.Error()
			failed(err)
		case err == nil && objects != nil:
			lastFailure = ""
			changed(objects)
		}
	}
}

// reload returns a new version of the files, or nil if they have not changed.
func (f *Files) reload() (*manifest.Manifest, error) {
	contents, err := f.contents()
	if err != nil {
		return nil, err
	}
	if slices.EqualFunc(contents, f.read, func(a, b manifest.File) bool { return bytes.Equal(a.Content, b.Content) }) {
		return nil, nil
	}
	f.read = contents
	return manifest.Parse(f.Namespace, contents...)
}

// contents reads all files. Standard input is what it was.
func (f *Files) contents() ([]manifest.File, error) {
	files := make([]manifest.File, len(f.Paths))
	for i, path := range f.Paths {
		if path == "-" && f.read != nil {
			files[i] = f.read[i]
			continue
		}
		file, err := f.open(path)
		if err != nil {
			return nil, err
		}
		files[i] = file
	}
	return files, nil
}

func (f *Files) open(path string) (manifest.File, error) {
	name, input := path, f.Input
	if path == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(path)
		if err != nil {
			return manifest.File{}, fmt.Errorf("read the objects: %w", err)
		}
		defer func() { _ = file.Close() }()
		input = file
	}
	content, err := io.ReadAll(io.LimitReader(input, maxFileBytes+1))
	if err != nil {
		return manifest.File{}, fmt.Errorf("read %s: %w", name, err)
	}
	if len(content) > maxFileBytes {
		return manifest.File{}, fmt.Errorf("read %s: it is larger than %d MiB", name, maxFileBytes>>20)
	}
	return manifest.File{Name: name, Content: content}, nil
}
