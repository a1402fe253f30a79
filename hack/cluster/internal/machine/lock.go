package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/internal/lock"
)

// lockFolder is the folder of the locks of this machine's clusters. It is there while one is held.
const lockFolder = "/run/kube-imds"

// LockPath is the path of a lock of this machine's clusters.
func LockPath(name string) string { return filepath.Join(lockFolder, name+".lock") }

// Exclusively does what must not be done while another cluster comes or goes. That takes a moment, for which it waits.
func Exclusively(do func() error) error {
	return Tidy(lock.While(context.Background(), LockPath("machine"), func(string) {}, do))
}

// Tidy removes the folder of locks once there is none, and passes on how it went while the last one was held.
func Tidy(outcome error) error {
	err := os.Remove(lockFolder)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return errors.Join(outcome, err)
}
