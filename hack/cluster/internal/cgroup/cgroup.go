// Package cgroup creates, fills and removes a tree of control groups in every hierarchy of the machine, of version 1 and 2.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
)

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	root    string
	unified bool
}

func hierarchies() ([]hierarchy, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("read the mounts of control groups: %w", err)
	}
	var found []hierarchy
	for _, mount := range mounts {
		if strings.HasPrefix(mount.Mountpoint, "/sys/fs/cgroup") {
			found = append(found, hierarchy{mount.Mountpoint, mount.FSType == "cgroup2"})
		}
	}
	return found, nil
}

// mustHierarchies returns the hierarchies, or an error if this machine cannot run a cluster.
func mustHierarchies() ([]hierarchy, error) {
	found, err := hierarchies()
	if err == nil && len(found) == 0 {
		err = errors.New("no control groups are mounted below /sys/fs/cgroup: a machine with an init system has them; " +
			"elsewhere, mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	return found, err
}

// Make creates a control group with its parents in every hierarchy.
func Make(path string) error {
	all, err := mustHierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range all {
		folder := hierarchy.root
		for element := range strings.SplitSeq(path, "/") {
			if hierarchy.unified {
				delegate(folder)
			}
			parent := folder
			folder = filepath.Join(folder, element)
			if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make the control group: %w", err)
			}
			if err := inheritCPUSet(parent, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate enables all available controllers for the children of a version 2 control group.
func delegate(folder string) {
	available, _ := os.ReadFile(filepath.Join(folder, "cgroup.controllers"))
	for _, controller := range strings.Fields(string(available)) {
		// A refused controller is not needed here, or kubelet will say so.
		_ = os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// inheritCPUSet sets what version 1 leaves empty in a new control group, so that nothing could run in it.
func inheritCPUSet(parent, folder string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil || strings.TrimSpace(string(value)) == "" {
			continue
		}
		own, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, file), value, 0); err != nil {
			return fmt.Errorf("set %s of the control group: %w", file, err)
		}
	}
	return nil
}

// Enter moves this process into a control group in every hierarchy.
func Enter(path string) error {
	all, err := mustHierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range all {
		file := filepath.Join(hierarchy.root, path, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return fmt.Errorf("enter the control group: %w", err)
		}
	}
	return nil
}

// Remove kills every process in a control group and below it, and removes it from every hierarchy. A missing group is not
// an error.
func Remove(path string, deadline time.Duration) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	end := time.Now().Add(deadline)
	for {
		var left error
		for _, hierarchy := range all {
			left = errors.Join(left, removeTree(filepath.Join(hierarchy.root, path)))
		}
		if left == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("remove the control group %s: %w", path, left)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// removeTree kills what runs in a folder of control groups, and removes the folder from its leaves up.
func removeTree(root string) error {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
			kill(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for i := len(folders) - 1; i >= 0; i-- {
		if removal := os.Remove(folders[i]); removal != nil && !errors.Is(removal, fs.ErrNotExist) {
			err = errors.Join(err, removal)
		}
	}
	return err
}

func kill(folder string) {
	content, _ := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	for _, line := range strings.Fields(string(content)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
