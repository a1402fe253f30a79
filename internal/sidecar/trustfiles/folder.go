// Package trustfiles keeps a folder with the authorities that the containers of a pod trust beside the public roots, in the forms
// that their runtimes read (docs/design/trusted-pods.md).
package trustfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

const (
	// maxBundle bounds what is read of the file with the authorities, in bytes.
	maxBundle = 64 << 10

	// lookEvery is how often that file is read: the kubelet takes longer to change it.
	lookEvery = 15 * time.Second
)

// Folder is the folder that containers mount.
type Folder struct {
	// Path is the folder's.
	Path string

	// Authorities has those of the installation, in PEM, with which the pod begins, and AuthoritiesFile is the file with those that
	// it trusts once the file exists.
	Authorities     []byte
	AuthoritiesFile string

	Logger *slog.Logger

	// written are the authorities that the folder has, and failing reports whether the last attempt to change it failed.
	written []byte
	failing bool
}

// Fill writes the folder for the first time.
func (f *Folder) Fill() error {
	if err := f.refresh(); f.written != nil {
		return nil
	} else if err != nil {
		f.Logger.Warn("containers get the authorities with which the pod was admitted", "error", err)
	}
	return f.write(f.Authorities)
}

// Run keeps the folder as the file with the authorities is, until the context ends.
func (f *Folder) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := f.refresh()
		if err != nil && !f.failing {
			f.Logger.Warn("containers go on having the authorities that they have", "error", err)
		}
		f.failing = err != nil
	}
}

// refresh writes the folder if the file has other authorities than before. A file that is missing changes nothing.
func (f *Folder) refresh() error {
	file, err := os.Open(f.AuthoritiesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the authorities: %w", err)
	}
	defer file.Close()
	authorities, err := io.ReadAll(io.LimitReader(file, maxBundle+1))
	if err != nil {
		return fmt.Errorf("read the authorities: %w", err)
	}
	if len(authorities) > maxBundle {
		return fmt.Errorf("read the authorities: %s has more than %d bytes", f.AuthoritiesFile, maxBundle)
	}
	if bytes.Equal(authorities, f.written) {
		return nil
	}
	return f.write(authorities)
}

// write writes the files for some authorities, and then removes the hashed ones of others. Each file is replaced at once, because
// applications read them at any moment.
func (f *Folder) write(authorities []byte) error {
	files, err := render(authorities)
	if err != nil {
		return err
	}
	hashed := filepath.Join(f.Path, settings.TrustHashed)
	if err := os.MkdirAll(hashed, 0o755); err != nil {
		return fmt.Errorf("make the folder of authorities: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := replace(filepath.Join(f.Path, name), files[name]); err != nil {
			return fmt.Errorf("write the authorities: %w", err)
		}
	}
	entries, err := os.ReadDir(hashed)
	if err != nil {
		return fmt.Errorf("list the authorities: %w", err)
	}
	for _, entry := range entries {
		if _, wanted := files[settings.TrustHashed+"/"+entry.Name()]; !wanted {
			if err := os.Remove(filepath.Join(hashed, entry.Name())); err != nil {
				return fmt.Errorf("remove an authority: %w", err)
			}
		}
	}
	f.written = authorities
	f.Logger.Info("containers have the authorities of the installation", "folder", f.Path)
	return nil
}

// replace replaces a file, which every user may read.
func replace(path string, content []byte) error {
	next := path + ".next"
	err := os.WriteFile(next, content, 0o644)
	if err == nil {
		// The umask may have taken rights.
		err = os.Chmod(next, 0o644)
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next)
	}
	return err
}
