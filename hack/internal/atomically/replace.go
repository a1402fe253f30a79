// Package atomically writes files and folders so that there is never half of one.
package atomically

import (
	"errors"
	"os"
)

// Replace puts what write makes in the place of path, so that a run that is broken off leaves nothing half done under
// that name. A file or a link is there all the time; a folder is away for a moment.
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
