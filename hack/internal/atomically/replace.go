// Package atomically writes files and folders so that there is never half of one.
package atomically

import (
	"errors"
	"os"
)

// Replace puts what write makes in the place of path, so that a run that is broken off leaves nothing half done under
// that name.
func Replace(path string, write func(path string) error) error {
	next := path + ".next"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := write(next); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Rename(next, path)
}
