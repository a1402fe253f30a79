package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// Left is a network namespace that has lost its name but lives on, because foreign processes hold it.
type Left struct {
	Name    string
	Holders []Holder
}

// Remove removes the cluster's network namespaces with everything in them. Those that others hold only lose their names. It
// goes on after a failure.
func Remove(cluster layout.Layout) ([]Left, error) {
	var left []Left
	var failures error
	for _, name := range cluster.NetworkNamespaces() {
		path := filepath.Join(folder, name)
		namespace := identify(path)
		err := removeFile(path)
		holders := holdersOf(namespace)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("remove the network namespace %s%s: %w", name, heldBy(holders), err))
		} else if len(holders) > 0 {
			left = append(left, Left{name, holders})
		}
	}
	return left, failures
}

// removeFile removes the file of a named network namespace, with what is mounted on it.
func removeFile(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount it: %w", err)
	}
	err = os.Remove(path)
	if errors.Is(err, unix.EBUSY) {
		err = onOwnThread(func() error { return removeCovered(path) })
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove its file: %w", err)
	}
	return nil
}

// removeCovered removes a file on which something is mounted that no path reaches. The first `ip netns add` of a machine
// causes that for every existing namespace: it mounts the folder on itself with everything in it.
//
// A file that is not mounted on in the mount namespace of the process that removes it can be removed, and the kernel then ends the mounts
// on it in all others. So this thread gets a new mount namespace, in which it unmounts them.
func removeCovered(path string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep the mount namespace apart: %w", err)
	}
	covers := []string{filepath.Dir(path), path}
	mounts, err := mountinfo.GetMounts(func(mount *mountinfo.Info) (skip, stop bool) {
		return !slices.Contains(covers, mount.Mountpoint), false
	})
	if err != nil {
		return fmt.Errorf("read the mounts: %w", err)
	}
	// What was mounted last is what a path leads to.
	for _, mount := range slices.Backward(mounts) {
		if err := unix.Unmount(mount.Mountpoint, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("take off what covers it: %w", err)
		}
	}
	return os.Remove(path)
}
