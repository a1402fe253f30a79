package process

import (
	"fmt"
	"runtime"
	"syscall"

	"os"

	"github.com/vishvananda/netns"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/cgroup"
)

// Launch turns this process into another program, in a control group and a network namespace. It returns only if it
// fails.
//
// The mount namespace stays the machine's: containerd must see what kubelet mounts, and both must see the control
// groups, which a new /sys would hide.
func Launch(group, namespace string, command []string) error {
	if err := cgroup.Enter(group); err != nil {
		return err
	}
	// Namespaces belong to a thread, and exec keeps those of the thread that calls it.
	runtime.LockOSThread()
	if namespace != "" {
		handle, err := netns.GetFromName(namespace)
		if err != nil {
			return fmt.Errorf("find the network namespace %s: %w", namespace, err)
		}
		if err := netns.Set(handle); err != nil {
			return fmt.Errorf("enter the network namespace %s: %w", namespace, err)
		}
	}
	if err := syscall.Exec(command[0], command, os.Environ()); err != nil {
		return fmt.Errorf("become %s: %w", command[0], err)
	}
	return nil
}
