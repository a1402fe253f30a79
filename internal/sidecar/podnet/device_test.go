package podnet

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	var devices []Device
	var address string
	n := newNamespace(t)
	n.do(func() {
		n.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth1"}))
		for device, addresses := range map[string][]string{
			"lo": {"169.254.169.254/32"}, "eth0": {"10.244.1.7/24", "fd00:1::7/64", "10.9.9.9/16"}, "eth1": {"10.8.0.1/16"},
		} {
			for _, text := range addresses {
				parsed, err := netlink.ParseAddr(text)
				n.must(err)
				n.must(netlink.AddrAdd(n.link(device), parsed))
			}
		}
		address = n.link("eth0").Attrs().HardwareAddr.String()
		var err error
		devices, err = Devices([]netip.Addr{netip.MustParseAddr("10.244.1.7"), netip.MustParseAddr("fd00:1::7")})
		n.must(err)
	})
	if len(devices) != 1 || devices[0].HardwareAddress.String() != address {
		t.Fatalf("devices = %v, want the one with address %s", devices, address)
	}
	want := []string{"10.244.1.7/24", "fd00:1::7/64"}
	var got []string
	for _, prefix := range devices[0].Prefixes {
		got = append(got, prefix.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}
