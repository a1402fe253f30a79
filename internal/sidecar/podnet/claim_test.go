package podnet

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// addresses returns a device's addresses. It must be called within do.
func (n *namespace) addresses(device string) []string {
	n.t.Helper()
	addresses, err := netlink.AddrList(n.link(device), netlink.FAMILY_V4)
	n.must(err)
	var prefixes []string
	for _, address := range addresses {
		prefixes = append(prefixes, address.IPNet.String())
	}
	return prefixes
}

func TestClaimedAddressIsReleased(t *testing.T) {
	t.Parallel()
	machine := newNamespace(t)
	machine.do(func() {
		for range 2 {
			machine.must(ClaimAddress())
			if diff := cmp.Diff([]string{"127.0.0.1/8", "169.254.169.254/32"}, machine.addresses("lo")); diff != "" {
				t.Error("claimed (-want +got):\n" + diff)
			}
			machine.must(ReleaseAddress())
			if diff := cmp.Diff([]string{"127.0.0.1/8"}, machine.addresses("lo")); diff != "" {
				t.Error("released (-want +got):\n" + diff)
			}
		}
	})
}

func TestExistingAddressIsNotClaimed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ device, prefix string }{
		"on lo":                            {"lo", "169.254.169.254/32"},
		"on lo with its network":           {"lo", "169.254.169.254/16"},
		"on another device":                {"eth0", "169.254.169.254/32"},
		"on another device with a network": {"eth0", "169.254.169.254/16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			machine := newNamespace(t)
			machine.connectToNew()
			machine.do(func() {
				machine.addAddress(test.device, test.prefix)
				before := machine.addresses(test.device)
				if err := ClaimAddress(); !errors.Is(err, ErrAddressTaken) {
					t.Errorf("got error %v", err)
				}
				if diff := cmp.Diff(before, machine.addresses(test.device)); diff != "" {
					t.Error("addresses changed (-before +after):\n" + diff)
				}
			})
		})
	}
}

func (n *namespace) connectToNew() {
	n.t.Helper()
	neighbour := newNamespace(n.t)
	n.do(func() { n.connectTo(neighbour) })
}
