package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// namespaces is the folder in which `ip netns` finds network namespaces by name: each is mounted on a file.
const namespaces = "/run/netns"

// Remove removes the cluster's network namespaces, and with them all that is in them.
func Remove(cluster layout.Layout) error {
	var failures error
	for _, name := range cluster.NetworkNamespaces() {
		if err := removeNamespace(name); err != nil {
			failures = errors.Join(failures, fmt.Errorf("remove the network namespace %s: %w", name, err))
		}
	}
	return failures
}

// removeNamespace removes a named network namespace, or the plain file that a reboot or a crash left of it.
func removeNamespace(name string) error {
	path := filepath.Join(namespaces, name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount it: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove its file: %w", err)
	}
	return nil
}

// isNamespace tells a mounted network namespace from a plain file.
func isNamespace(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Type == unix.NSFS_MAGIC
}

// makeNamespace makes a named network namespace, as `ip netns add` does.
func makeNamespace(name string) error {
	return onOwnThread(func() error {
		if isNamespace(filepath.Join(namespaces, name)) {
			return nil
		}
		if err := removeNamespace(name); err != nil {
			return err
		}
		handle, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("make the network namespace %s: %w", name, err)
		}
		return handle.Close()
	})
}

// inside runs a function in a network namespace.
func inside(name string, do func(*netlink.Handle) error) error {
	return onOwnThread(func() error {
		namespace, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("find the network namespace %s: %w", name, err)
		}
		defer namespace.Close()
		if err := netns.Set(namespace); err != nil {
			return fmt.Errorf("enter the network namespace %s: %w", name, err)
		}
		handle, err := netlink.NewHandle()
		if err != nil {
			return fmt.Errorf("open netlink in %s: %w", name, err)
		}
		defer handle.Close()
		return do(handle)
	})
}

// onOwnThread runs a function on a thread that ends with it, for network namespaces belong to threads.
func onOwnThread(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- do()
	}()
	return <-result
}
