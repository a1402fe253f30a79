package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/components"
)

// installPackages installs the Debian packages that are missing: those of programs that a cluster runs, and of what
// runc is built with.
func installPackages(ctx context.Context) error {
	var missing []string
	for _, need := range []struct {
		there       bool
		packageName string
	}{
		{hasProgram("nft"), "nftables"},
		{hasFile(components.CNIPlugins + "/bridge"), "containernetworking-plugins"},
		{hasProgram("pkg-config"), "pkg-config"},
		{hasProgram("gcc"), "gcc"},
		{hasFile("/usr/include/seccomp.h"), "libseccomp-dev"},
	} {
		if !need.there {
			missing = append(missing, need.packageName)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	by := "apt-get install --yes --no-install-recommends " + strings.Join(missing, " ")
	if !hasProgram("apt-get") {
		return fmt.Errorf("programs are missing that a local cluster needs; on Debian: %s", by)
	}
	say("installing what a local cluster needs: %s", by)
	for _, command := range []string{"apt-get update", by} {
		output, err := exec.CommandContext(ctx, "sh", "-c", "DEBIAN_FRONTEND=noninteractive "+command).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, output)
		}
	}
	return nil
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil || errors.Is(err, exec.ErrDot)
}

func hasFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
