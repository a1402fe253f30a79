package podnet

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress adds Address to lo, unless it is there. It needs NET_ADMIN in the network namespace, permitted at
// least, and touches nothing else.
func AddAddress() error {
	return withNetAdmin(func() error {
		loopback, err := netlink.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find the device lo: %w", err)
		}
		err = netlink.AddrAdd(loopback, &netlink.Addr{
			IPNet: &net.IPNet{IP: Address.AsSlice(), Mask: net.CIDRMask(32, 32)},
			Scope: unix.RT_SCOPE_HOST,
		})
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s to lo: %w", Address, err)
		}
		return nil
	})
}
