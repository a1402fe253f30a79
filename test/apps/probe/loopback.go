package main

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// giveUpLoopback makes the kernel send packets for loopback addresses out of the pod, and accept their responses: lo
// loses its addresses, and eth0 treats them like others.
func giveUpLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback device: %w", err)
	}
	addresses, err := netlink.AddrList(lo, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list the addresses of lo: %w", err)
	}
	for _, address := range addresses {
		if !address.IP.IsLoopback() {
			continue
		}
		if err := netlink.AddrDel(lo, &address); err != nil {
			return fmt.Errorf("remove %s from lo: %w", address.IP, err)
		}
	}
	return sysctl([]string{"net.ipv4.conf.eth0.route_localnet=1"})
}

// addToLoopback adds the IPv4 address of an address and port to lo, and returns a function that removes it.
func addToLoopback(address string) (giveBack func(), err error) {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("read the address: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, fmt.Errorf("find the loopback device: %w", err)
	}
	added := &netlink.Addr{IPNet: &net.IPNet{IP: parsed.Addr().AsSlice(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(lo, added); err != nil {
		return nil, fmt.Errorf("add %s to lo: %w", parsed.Addr(), err)
	}
	return func() { _ = netlink.AddrDel(lo, added) }, nil
}
