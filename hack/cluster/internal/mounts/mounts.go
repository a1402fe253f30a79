// Package mounts unmounts what a cluster's containers left mounted.
package mounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// UnmountBelow unmounts everything in a folder, the deepest first.
func UnmountBelow(folder string) error {
	found, err := mountinfo.GetMounts(mountinfo.PrefixFilter(folder))
	if err != nil {
		return fmt.Errorf("read the mounts below %s: %w", folder, err)
	}
	var failures error
	for _, path := range deepestFirst(found) {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			failures = errors.Join(failures, fmt.Errorf("unmount %s: %w", path, err))
		}
	}
	return failures
}

// deepestFirst returns the mounts' paths, nested mounts first. A path occurs as often as something is mounted there.
func deepestFirst(mounts []*mountinfo.Info) []string {
	paths := make([]string, 0, len(mounts))
	for _, mount := range mounts {
		paths = append(paths, mount.Mountpoint)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return paths
}
