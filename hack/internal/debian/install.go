// Package debian installs what programs need of the machine that they run on.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Need is something that a Debian package brings.
type Need struct {
	There   bool
	Package string
}

// Install installs the packages of what is not there. Purpose is what they are for; announce is told of it before.
func Install(ctx context.Context, purpose string, announce func(format string, arguments ...any), needs ...Need) error {
	var missing []string
	for _, need := range needs {
		if !need.There {
			missing = append(missing, need.Package)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	by := "apt-get install --yes --no-install-recommends " + strings.Join(missing, " ")
	if !HasProgram("apt-get") {
		return fmt.Errorf("programs are missing that %s needs; on Debian: %s", purpose, by)
	}
	announce("installing what %s needs: %s", purpose, by)
	for _, command := range []string{"apt-get update", by} {
		output, err := exec.CommandContext(ctx, "sh", "-c", "DEBIAN_FRONTEND=noninteractive "+command).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, output)
		}
	}
	return nil
}

// HasProgram says whether a program is found by its name.
func HasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil || errors.Is(err, exec.ErrDot)
}
