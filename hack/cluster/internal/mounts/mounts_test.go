package mounts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
)

func TestNestedMountsAreUnmountedFirst(t *testing.T) {
	mounts := []*mountinfo.Info{
		{Mountpoint: "/c/node"},
		{Mountpoint: "/c/node/rootfs"},
		{Mountpoint: "/c/node/rootfs/dev/shm"},
		{Mountpoint: "/c/shm"},
		{Mountpoint: "/c/node/rootfs"},
	}
	want := []string{"/c/node/rootfs/dev/shm", "/c/node/rootfs", "/c/node/rootfs", "/c/node", "/c/shm"}
	if diff := cmp.Diff(want, deepestFirst(mounts)); diff != "" {
		t.Errorf("order of unmounting (-want +got):\n%s", diff)
	}
}
