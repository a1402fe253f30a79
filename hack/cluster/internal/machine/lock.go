package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/internal/lock"
)

// lockFolder is the folder of the locks of this machine's clusters. It exists while a lock is held.
const lockFolder = "/run/kube-imds"

// LockPath returns the path of a lock.
func LockPath(name string) string { return filepath.Join(lockFolder, name+".lock") }

// Exclusively runs what must not run while another cluster starts or stops, and waits for its turn.
func Exclusively(do func() error) error {
	return Tidy(lock.While(context.Background(), LockPath("machine"), func(string) {}, do))
}

// Tidy removes the folder of locks if it is empty, and returns the outcome of what ran under the last lock.
func Tidy(outcome error) error {
	err := os.Remove(lockFolder)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return errors.Join(outcome, err)
}
