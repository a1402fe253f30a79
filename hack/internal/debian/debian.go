// Package debian installs Debian packages that programs need.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/hack/internal/progress"
)

// Need is something that a Debian package provides.
type Need struct {
	There   bool
	Package string
}

// Install installs the packages of missing needs. It writes the purpose and its progress to log.
func Install(ctx context.Context, purpose string, log io.Writer, needs ...Need) error {
	var missing []string
	for _, need := range needs {
		if !need.There {
			missing = append(missing, need.Package)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	by := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if !HasProgram("apt-get") {
		return fmt.Errorf("programs are missing that %s needs; on Debian: apt-get %s", purpose, strings.Join(by, " "))
	}
	defer progress.Report(log, fmt.Sprintf("installing what %s needs (%s)", purpose, strings.Join(missing, ", ")))()
	for _, arguments := range [][]string{{"update"}, by} {
		if err := aptGet(ctx, log, arguments); err != nil {
			return err
		}
	}
	return nil
}

// retry is how often apt-get is tried while another process installs packages, as many systems do by themselves.
var retry = 2 * time.Second

// heldLock is apt-get's message for that in the C locale. The line after it often names the process.
const heldLock = "Could not get lock"

// aptGet runs apt-get once no other process does.
func aptGet(ctx context.Context, log io.Writer, arguments []string) error {
	for reported := false; ; reported = true {
		command := exec.CommandContext(ctx, "apt-get", arguments...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		output, err := command.CombinedOutput()
		if err == nil {
			return nil
		}
		if !strings.Contains(string(output), heldLock) {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(arguments, " "), err, output)
		}
		if !reported {
			fmt.Fprintf(log, "waiting for another apt-get:\n%s", output)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another apt-get: %w", context.Cause(ctx))
		case <-time.After(retry):
		}
	}
}

// HasProgram reports whether a program is in the PATH.
func HasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil || errors.Is(err, exec.ErrDot)
}
