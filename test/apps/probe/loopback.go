package main

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// giveUpLoopback makes the kernel send what is for the loopback addresses out of the pod, and take answers from them: lo
// loses its own, and eth0 treats them as any other.
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
