package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/cgroup"
)

// recorded tells Launch that its process is recorded.
const recorded = "recorded"

// Launch turns this process into another program, in a control group and a network namespace, once its standard input says
// that it is recorded. It returns only if it fails.
//
// The mount namespace stays the machine's: containerd must see what kubelet mounts, and both must see the control groups,
// which a new /sys would hide.
//
// It must be called on the main thread. While another thread becomes a program, the process looks for a moment as if it had
// ended, and its parent would believe that.
func Launch(group, namespace string, command []string) error {
	if unix.Gettid() != os.Getpid() {
		return errors.New("a process becomes a daemon on its main thread alone")
	}
	if err := awaitRecord(os.Stdin); err != nil {
		return err
	}
	if err := cgroup.Enter(group); err != nil {
		return err
	}
	// A network namespace belongs to a thread, and exec keeps the calling thread's.
	if namespace != "" {
		handle, err := netns.GetFromName(namespace)
		if err != nil {
			return fmt.Errorf("find the network namespace %s: %w", namespace, err)
		}
		if err := netns.Set(handle); err != nil {
			return fmt.Errorf("enter the network namespace %s: %w", namespace, err)
		}
	}
	if err := closeStandardInput(); err != nil {
		return err
	}
	if err := syscall.Exec(command[0], command, os.Environ()); err != nil {
		return fmt.Errorf("become %s: %w", command[0], err)
	}
	return nil
}

// awaitRecord waits for the word. Without it, the recording process has died.
func awaitRecord(input io.Reader) error {
	word, err := io.ReadAll(input)
	if err != nil {
		return fmt.Errorf("wait to be recorded: %w", err)
	}
	if string(word) != recorded {
		return errors.New("this process was not recorded, so it must not run")
	}
	return nil
}

func closeStandardInput() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("close the standard input: %w", err)
	}
	defer null.Close()
	if err := unix.Dup3(int(null.Fd()), unix.Stdin, 0); err != nil {
		return fmt.Errorf("close the standard input: %w", err)
	}
	return nil
}

// InGroup returns a command that a launcher, a program whose subcommand "launch" calls Launch, turns into another program
// in a control group. It ends with this program's context, so nothing records it.
func InGroup(ctx context.Context, launcher, group string, command []string) *exec.Cmd {
	launched := exec.CommandContext(ctx, launcher, append([]string{"launch", "--cgroup", group, "--"}, command...)...)
	launched.Stdin = strings.NewReader(recorded)
	return launched
}
