package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	nonRoot  = 65532
	netAdmin = 1 << unix.CAP_NET_ADMIN
)

// TestCapabilities runs the real binary as containers run it, in network namespaces of its own.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces and give files capabilities")
	}
	plain := buildSidecar(t)
	capable := withFileCapability(t, plain)

	for name, test := range map[string]struct {
		launchSpec
		subcommand string
		address    bool   // whether it is on lo afterwards
		failure    string // a part of what it says; empty where it succeeds
	}{
		"net-init, not root":                         {container(capable, nonRoot, netAdmin), "net-init", true, ""},
		"net-init, root":                             {container(plain, 0, netAdmin), "net-init", true, ""},
		"net-init, root, image's own binary":         {container(capable, 0, netAdmin), "net-init", true, ""},
		"net-init, not root, no capability":          {container(capable, nonRoot, 0), "net-init", false, "capabilities.add: [NET_ADMIN]"},
		"net-init, root, no capability":              {container(plain, 0, 0), "net-init", false, "capabilities.add: [NET_ADMIN]"},
		"net-init, not root, file has no capability": {container(plain, nonRoot, netAdmin), "net-init", false, "file capability"},
		"anything else, with every capability gone":  {container(capable, nonRoot, 0), "version", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, addresses, err := runInNamespace(t, test.launchSpec, test.subcommand)
			if (err == nil) != (test.failure == "") || !strings.Contains(output, test.failure) {
				t.Errorf("it ended with %v and said: %s", err, output)
			}
			if slices.Contains(addresses, "169.254.169.254/32") != test.address {
				t.Errorf("lo has the addresses %q", addresses)
			}
		})
	}
}

func container(program string, user int, capabilities uint32) launchSpec {
	return launchSpec{Program: program, User: user, Capabilities: capabilities}
}

// runInNamespace starts the sidecar in a new network namespace, and lists what is on lo when it has exited.
func runInNamespace(t *testing.T, spec launchSpec, subcommand string) (output string, addresses []string, err error) {
	t.Helper()
	command := spec.command(t, subcommand)
	inNamespace(t, func() {
		var said []byte
		said, err = command.CombinedOutput()
		output, addresses = string(said), loopbackAddresses(t)
	})
	return output, addresses, err
}

func loopbackAddresses(t *testing.T) (addresses []string) {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		t.Error(err)
		return nil
	}
	list, err := netlink.AddrList(loopback, netlink.FAMILY_ALL)
	if err != nil {
		t.Error(err)
	}
	for _, address := range list {
		addresses = append(addresses, address.IPNet.String())
	}
	return addresses
}

// buildSidecar builds the sidecar where every user may run it.
func buildSidecar(t *testing.T) string {
	t.Helper()
	program := filepath.Join(publicDir(t), "sidecar")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the sidecar: %v\n%s", err, output)
	}
	return program
}

// publicDir makes a directory that every user may read.
func publicDir(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	for _, path := range []string{directory, filepath.Dir(directory)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// withFileCapability makes a copy with the file capability cap_net_admin+p, as the image's layer has it.
func withFileCapability(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	capable := program + "-capable"
	if err := os.WriteFile(capable, content, 0o755); err != nil {
		t.Fatal(err)
	}
	// struct vfs_cap_data of linux/capability.h: revision 2 without the effective flag, then permitted and
	// inheritable, low words first.
	var attribute [20]byte
	binary.LittleEndian.PutUint32(attribute[0:], 0x02000000)
	binary.LittleEndian.PutUint32(attribute[4:], netAdmin)
	if err := unix.Setxattr(capable, "security.capability", attribute[:], 0); err != nil {
		t.Skipf("files cannot have capabilities here: %v", err)
	}
	return capable
}
