package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

const (
	// suffix ends the names of records' files, and unfinished files begin with next.
	suffix = ".json"
	next   = ".next-"

	lockFile = ".lock"

	// maxFile bounds a file that is read, in bytes: the largest object in base64, with room to spare.
	maxFile = 4 << 20
)

// Folder keeps each record in a file of a folder that outlives the process, and in memory while it is open. One process has it open at a
// time.
type Folder struct {
	*Memory
	root *os.Root
	lock *flock.Flock
}

// OpenFolder opens a folder of the user's own, which is made if there is none. maxBytes bounds what it keeps.
func OpenFolder(path string, maxBytes int) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the vaults: %w", err)
	}
	if err := checkPrivate(path); err != nil {
		return nil, err
	}
	f := &Folder{lock: flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))}
	locked, err := f.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the vaults: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("open %s: another process has it open", path)
	}
	if f.root, err = os.OpenRoot(path); err != nil {
		return nil, errors.Join(fmt.Errorf("open the folder of the vaults: %w", err), f.lock.Unlock())
	}
	f.Memory = &Memory{MaxBytes: maxBytes}
	if err := f.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.saveTo = f
	return f, nil
}

// Close lets others open the folder.
func (f *Folder) Close() error { return errors.Join(f.root.Close(), f.lock.Unlock()) }

// checkPrivate refuses a folder that others may read or write. Windows has no such modes.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open the folder of the vaults: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("open %s: other users may use this folder (mode %#o): name a new one, or run chmod 700 on it", path, info.Mode().Perm())
	}
	return nil
}

// load reads all records, and removes what a process left behind that was killed while it wrote.
func (f *Folder) load() error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("read the folder of the vaults: %w", err)
	}
	for _, entry := range entries {
		switch name := entry.Name(); {
		case strings.HasPrefix(name, next):
			err = f.root.Remove(name)
		case strings.HasSuffix(name, suffix):
			err = f.loadFile(name)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(f.root.Name(), entry.Name()), err)
		}
	}
	return nil
}

func (f *Folder) loadFile(name string) error {
	file, err := f.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return err
	}
	if len(content) > maxFile {
		return fmt.Errorf("it has more than %d bytes", maxFile)
	}
	var record Record
	if err := json.Unmarshal(content, &record); err != nil {
		return err
	}
	if record.Name+suffix != name {
		return fmt.Errorf("it holds the record %q", record.Name)
	}
	return f.keep(&record)
}

// save writes a record's file: after a crash there is the one before or this one, whole.
func (f *Folder) save(record *Record) error {
	content, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("render a record: %w", err)
	}
	name := next + record.Name
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = f.root.Rename(name, record.Name+suffix)
	}
	if err != nil {
		_ = f.root.Remove(name)
		return fmt.Errorf("write a record: %w", err)
	}
	return f.sync()
}

// forget removes a record's file.
func (f *Folder) forget(name string) error {
	if err := f.root.Remove(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a record: %w", err)
	}
	return f.sync()
}

// sync makes renamed and removed files survive a crash of the machine. Windows does not sync folders.
func (f *Folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := f.root.Open(".")
	if err != nil {
		return fmt.Errorf("sync the folder of the vaults: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync the folder of the vaults: %w", err)
	}
	return nil
}
