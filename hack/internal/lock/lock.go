// Package lock serializes work between processes.
package lock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Lock is a locked file. The kernel releases it when the process ends in any way, and child processes do not inherit
// it.
type Lock struct {
	file *os.File
	path string
}

// HeldError is the error of a lock that another process holds.
type HeldError struct {
	// Holder is the holder's process ID and command, as far as it has written them.
	Holder string
}

func (e *HeldError) Error() string { return "held by " + e.Holder }

// Try takes the lock at a path, creating its folder, or fails with a HeldError.
func Try(path string) (*Lock, error) {
	for {
		lock, err := open(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		err = unix.Flock(int(lock.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &HeldError{readHolder(lock.file)}
		} else if err == nil && !lock.current() {
			// The holder removed the file between the two calls.
			_ = lock.file.Close()
			continue
		} else if err == nil {
			err = lock.writeHolder()
		}
		if err != nil {
			_ = lock.file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return lock, nil
	}
}

// pause is how often a held lock is tried, and remind how often the waiting is reported.
const (
	pause  = 100 * time.Millisecond
	remind = 30 * time.Second
)

// Wait takes the lock as soon as no other process holds it. While it waits, it reports the holder: at once, every half minute,
// and when it changes.
func Wait(ctx context.Context, path string, tell func(holder string)) (*Lock, error) {
	var reported string
	var reportedAt time.Time
	for {
		lock, err := Try(path)
		held, isHeld := errors.AsType[*HeldError](err)
		if !isHeld {
			return lock, err
		}
		if now := time.Now(); held.Holder != reported || now.Sub(reportedAt) >= remind {
			tell(held.Holder)
			reported, reportedAt = held.Holder, now
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w: %w", path, context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// While waits for the lock and runs do with it.
func While(ctx context.Context, path string, tell func(holder string), do func() error) error {
	lock, err := Wait(ctx, path, tell)
	if err != nil {
		return err
	}
	return errors.Join(do(), lock.Release())
}

// Release releases the lock and removes the file.
func (l *Lock) Release() error {
	return errors.Join(os.Remove(l.path), l.file.Close())
}

func open(path string) (*Lock, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Its folder was removed in between.
		}
		return &Lock{file, path}, err
	}
}

// current reports whether the path still leads to the file.
func (l *Lock) current() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(l.path)
	return err == nil && os.SameFile(mine, there)
}

func (l *Lock) writeHolder() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	command := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	_, err := fmt.Fprintf(l.file, "process %d (%s)\n", os.Getpid(), strings.Join(command, " "))
	return err
}

func readHolder(file *os.File) string {
	var content [512]byte
	n, _ := file.ReadAt(content[:], 0)
	holder, _, complete := strings.Cut(string(content[:n]), "\n")
	if holder == "" || !complete && n < len(content) {
		return "another process"
	}
	return holder
}
