package main

import (
	"context"
	"os"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/components"
	"github.com/kube-imds/kube-imds/hack/internal/debian"
)

// installPackages installs missing Debian packages: programs that a cluster runs, and what runc is built with.
func installPackages(ctx context.Context) error {
	return debian.Install(ctx, "a local cluster", os.Stderr,
		debian.Need{There: debian.HasProgram("nft"), Package: "nftables"},
		debian.Need{There: hasFile(components.CNIPlugins + "/bridge"), Package: "containernetworking-plugins"},
		debian.Need{There: debian.HasProgram("pkg-config"), Package: "pkg-config"},
		debian.Need{There: debian.HasProgram("gcc"), Package: "gcc"},
		debian.Need{There: hasFile("/usr/include/seccomp.h"), Package: "libseccomp-dev"},
	)
}

func hasFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
