package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The wanted bytes follow struct vfs_cap_data in linux/capability.h: magic, then permitted and inheritable of capabilities
// 0 to 31, then of 32 to 63, all little-endian.
func TestFileCapabilitiesHaveTheKernelsFormat(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		capabilities fileCapabilities
		want         []byte
	}{
		"permitted net admin": {
			fileCapabilities{permitted: 1 << capNetAdmin},
			[]byte{0, 0, 0, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		},
		"effective": {
			fileCapabilities{permitted: 1, effective: true},
			[]byte{1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		},
		"inheritable and above 31": {
			fileCapabilities{permitted: 1 << 38, inheritable: 1 << 33},
			[]byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 2, 0, 0, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.capabilities.xattr()); diff != "" {
				t.Error("extended attribute (-want +got)", diff)
			}
		})
	}
}

func TestKernelAcceptsFileCapabilities(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	want := fileCapabilities{permitted: 1 << capNetAdmin}.xattr()
	err := unix.Setxattr(path, "security.capability", want, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
		t.Skip("setting file capabilities needs CAP_SETFCAP and a file system that stores them:", err)
	}
	if err != nil {
		t.Fatal("set file capabilities:", err)
	}
	got := make([]byte, 64)
	n, err := unix.Getxattr(path, "security.capability", got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got[:n]); diff != "" {
		t.Error("extended attribute (-want +got)", diff)
	}
}
