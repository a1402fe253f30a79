package podnet

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace that a test made. Nothing here touches the machine's own.
type namespace struct {
	t      *testing.T
	handle netns.NsHandle
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	n := &namespace{t, netns.None()}
	var err error
	onThread(func() { n.handle, err = netns.New() })
	if err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	t.Cleanup(func() { n.handle.Close() })
	n.do(func() { n.up("lo") })
	return n
}

// onThread runs f on a separate thread, which ends with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked, so that the thread is not reused.
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// do runs f within the namespace. Sockets that f opens stay there.
func (n *namespace) do(f func()) {
	n.t.Helper()
	var err error
	onThread(func() {
		if err = netns.Set(n.handle); err == nil {
			f()
		}
	})
	n.must(err)
}

func (n *namespace) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Error(err)
	}
}

// The following are called within do.

func (n *namespace) link(name string) netlink.Link {
	n.t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		n.t.Errorf("find the device %s: %v", name, err)
		return &netlink.GenericLink{}
	}
	return link
}

func (n *namespace) up(device string) {
	n.t.Helper()
	n.must(netlink.LinkSetUp(n.link(device)))
}

func (n *namespace) addAddress(device, prefix string) {
	n.t.Helper()
	address, err := netlink.ParseAddr(prefix)
	n.must(err)
	n.must(netlink.AddrAdd(n.link(device), address))
}

// route routes Address to a gateway, or without one, out of eth0.
func (n *namespace) route(gateway netip.Addr) {
	n.t.Helper()
	n.must(netlink.RouteReplace(&netlink.Route{
		LinkIndex: n.link("eth0").Attrs().Index,
		Dst:       &net.IPNet{IP: Address.AsSlice(), Mask: net.CIDRMask(32, 32)},
		Gw:        gateway.AsSlice(),
	}))
}

// routeLoopback routes the loopback network to a gateway, which the kernel does not do by itself: it looks
// into the table of local addresses first.
func (n *namespace) routeLoopback(gateway netip.Addr) {
	n.t.Helper()
	local := netlink.NewRule()
	local.Table, local.Priority = unix.RT_TABLE_LOCAL, 100
	n.must(netlink.RuleAdd(local))
	first := netlink.NewRule()
	first.Table, first.Priority = unix.RT_TABLE_LOCAL, 0
	n.must(netlink.RuleDel(first))
	remote := netlink.NewRule()
	remote.Table, remote.Priority = loopbackTable, 50
	n.must(netlink.RuleAdd(remote))
	n.must(netlink.RouteReplace(&netlink.Route{
		LinkIndex: n.link("eth0").Attrs().Index,
		Table:     loopbackTable,
		Dst:       &net.IPNet{IP: net.IPv4(127, 0, 0, 0), Mask: net.CIDRMask(8, 32)},
		Gw:        gateway.AsSlice(),
	}))
}

// loopbackTable is the routing table of routeLoopback.
const loopbackTable = 127

// neighbour sets the hardware address of Address.
func (n *namespace) neighbour(hardware net.HardwareAddr) {
	n.t.Helper()
	n.must(netlink.NeighSet(&netlink.Neigh{
		LinkIndex:    n.link("eth0").Attrs().Index,
		State:        netlink.NUD_PERMANENT,
		IP:           Address.AsSlice(),
		HardwareAddr: hardware,
	}))
}

// connectTo joins two namespaces by a pair of devices named eth0.
func (n *namespace) connectTo(other *namespace) {
	n.t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "eth0"
	n.must(netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsFd(other.handle),
	}))
}
