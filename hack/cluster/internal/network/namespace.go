package network

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// folder is where `ip netns` finds network namespaces by name: each is mounted on a file.
const folder = "/run/netns"

// isNamespace reports whether a file is a mounted network namespace.
func isNamespace(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Type == unix.NSFS_MAGIC
}

// makeNamespace creates a named network namespace like `ip netns add`.
func makeNamespace(name string) error {
	if err := makeAt(filepath.Join(folder, name)); err != nil {
		return fmt.Errorf("make the network namespace %s: %w", name, err)
	}
	return nil
}

// makeAt mounts a new network namespace on a file, which may exist: an earlier one may not be removable.
func makeAt(path string) error {
	if isNamespace(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return onOwnThread(func() error {
		handle, err := netns.New()
		if err != nil {
			return err
		}
		defer func() { _ = handle.Close() }()
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	})
}

// inside runs do in a network namespace.
func inside(name string, do func(*netlink.Handle) error) error {
	return onOwnThread(func() error {
		namespace, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("find the network namespace %s: %w", name, err)
		}
		defer func() { _ = namespace.Close() }()
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

// onOwnThread runs do on a thread that ends with it, because network namespaces belong to threads.
func onOwnThread(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- do()
	}()
	return <-result
}
