// Package atomically writes files and folders completely or not at all.
package atomically

import (
	"errors"
	"os"
)

// Replace replaces path by what write makes, so that an interrupted run leaves nothing half done under that name. A file or
// link always exists; a folder is missing for a moment.
func Replace(path string, write func(path string) error) error {
	next := path + ".next"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := write(next); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	if before, err := os.Lstat(path); err == nil && before.IsDir() {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return os.Rename(next, path)
}
