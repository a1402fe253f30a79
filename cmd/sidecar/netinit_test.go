package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	nonRoot  = 65532
	netAdmin = 1 << unix.CAP_NET_ADMIN
)

// TestCapabilities runs the real binary as containers run it, in new network namespaces.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces and give files capabilities")
	}
	plain := buildSidecar(t)
	capable := withFileCapability(t, plain)

	for name, test := range map[string]struct {
		launchSpec
		arguments []string
		made      network // what is there afterwards
		failure   string  // a part of what it says; empty where it succeeds
	}{
		"redirect, not root":                         {container(capable, nonRoot, netAdmin), redirect, network{address: true, rule: true}, ""},
		"redirect, root":                             {container(plain, 0, netAdmin), redirect, network{address: true, rule: true}, ""},
		"redirect, root, image's own binary":         {container(capable, 0, netAdmin), redirect, network{address: true, rule: true}, ""},
		"redirect, not root, no capability":          {container(capable, nonRoot, 0), redirect, network{}, "capabilities.add: [NET_ADMIN]"},
		"redirect, root, no capability":              {container(plain, 0, 0), redirect, network{}, "capabilities.add: [NET_ADMIN]"},
		"redirect, not root, file has no capability": {container(plain, nonRoot, netAdmin), redirect, network{}, "file capability"},
		"redirect, kernel without nf_tables":         {withoutNetfilter(capable), redirect, network{address: true}, "sidecar.interception=address"},
		"address, kernel without nf_tables":          {withoutNetfilter(capable), []string{"net-init"}, network{address: true}, ""},
		"address":                                    {container(capable, nonRoot, netAdmin), []string{"net-init"}, network{address: true}, ""},
		"port out of range":                          {container(capable, nonRoot, netAdmin), []string{"net-init", "--redirect-to=65536"}, network{}, "no port 65536"},
		"another subcommand, no capability":          {container(capable, nonRoot, 0), []string{"version"}, network{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, made, err := runInNamespace(t, test.launchSpec, test.arguments)
			if (err == nil) != (test.failure == "") || !strings.Contains(output, test.failure) {
				t.Errorf("ended with %v: %s", err, output)
			}
			if made != test.made {
				t.Errorf("network = %+v, want %+v", made, test.made)
			}
		})
	}
}

// redirect is the webhook's default command of net-init.
var redirect = []string{"net-init", "--redirect-to=15780"}

func container(program string, user int, capabilities uint32) launchSpec {
	return launchSpec{Program: program, User: user, Capabilities: capabilities}
}

func withoutNetfilter(program string) launchSpec {
	spec := container(program, nonRoot, netAdmin)
	spec.WithoutNetfilter = true
	return spec
}

// network holds whether net-init has added the address and the rule.
type network struct{ address, rule bool }

// runInNamespace runs the sidecar in a new network namespace, and inspects the namespace afterwards.
func runInNamespace(t *testing.T, spec launchSpec, arguments []string) (output string, made network, err error) {
	t.Helper()
	command := spec.command(t, arguments...)
	inNamespace(t, func() {
		var said []byte
		said, err = command.CombinedOutput()
		output = string(said)
		made = network{slices.Contains(loopbackAddresses(t), "169.254.169.254/32"), hasRule(t)}
	})
	return output, made, err
}

func hasRule(t *testing.T) bool {
	connection, err := nftables.New()
	if err != nil {
		t.Error(err)
		return false
	}
	chains, err := connection.ListChains()
	if err != nil {
		t.Error(err)
	}
	return len(chains) == 1 && chains[0].Table.Name == "kube_imds"
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

// buildSidecar builds the sidecar in a place where all users may run it.
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

// publicDir returns a new directory that all users may read.
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

// withFileCapability returns a copy with the file capability cap_net_admin+p, as in the image's layer.
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
