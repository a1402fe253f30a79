package podnet

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrAddressTaken is the error of claiming an address that this machine has already.
var ErrAddressTaken = fmt.Errorf("%s is an address of this machine already, and it is not known whose: "+
	"if a process that was killed left it, remove it with: ip address del %s/32 dev lo", Address, Address)

// ClaimAddress adds Address to lo unless the machine has it on any device.
func ClaimAddress() error {
	return withNetAdmin(func() error {
		// IPv4 and any device.
		addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("list this machine's addresses: %w", err)
		}
		for _, address := range addresses {
			if address.IP.Equal(Address.AsSlice()) {
				return ErrAddressTaken
			}
		}
		err = onLoopback(netlink.AddrAdd)
		if errors.Is(err, unix.EEXIST) {
			return ErrAddressTaken
		}
		if err != nil {
			return fmt.Errorf("add %s to lo: %w", Address, err)
		}
		return nil
	})
}

// ReleaseAddress removes Address from lo, after ClaimAddress.
func ReleaseAddress() error {
	return withNetAdmin(func() error {
		if err := onLoopback(netlink.AddrDel); err != nil {
			return fmt.Errorf("remove %s from lo: %w", Address, err)
		}
		return nil
	})
}

// onLoopback calls do with lo and Address.
func onLoopback(do func(netlink.Link, *netlink.Addr) error) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the device lo: %w", err)
	}
	return do(loopback, &netlink.Addr{
		IPNet: &net.IPNet{IP: Address.AsSlice(), Mask: net.CIDRMask(32, 32)},
		Scope: unix.RT_SCOPE_HOST,
	})
}
