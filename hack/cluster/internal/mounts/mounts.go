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

// UnmountBelow unmounts everything that is mounted in a folder, from the deepest up.
func UnmountBelow(folder string) error {
	found, err := mountinfo.GetMounts(mountinfo.PrefixFilter(folder))
	if err != nil {
		return fmt.Errorf("read the mounts below %s: %w", folder, err)
	}
	slices.SortFunc(found, func(a, b *mountinfo.Info) int {
		return strings.Count(b.Mountpoint, "/") - strings.Count(a.Mountpoint, "/")
	})
	var failures error
	for _, mount := range found {
		err := unix.Unmount(mount.Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			failures = errors.Join(failures, fmt.Errorf("unmount %s: %w", mount.Mountpoint, err))
		}
	}
	return failures
}
