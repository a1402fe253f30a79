package dev

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// defaultIP is the pod's address if the files have none: it looks like a pod's, because agents ignore loopback addresses.
const defaultIP = "10.244.0.10"

// interfaceOf returns the pod's network interface: the addresses in its status, each in a subnet of 256 addresses.
func interfaceOf(pod *corev1.Pod) imds.Interface {
	var found imds.Interface
	for _, ip := range pod.Status.PodIPs {
		address, err := netip.ParseAddr(ip.IP)
		if err != nil {
			continue
		}
		if address.Is6() {
			found.IPv6 = append(found.IPv6, ip.IP)
			continue
		}
		if found.MACAddress == "" {
			found.MACAddress = macOf(address)
		}
		found.IPv4 = append(found.IPv4, ip.IP)
		// A prefix of 24 bits fits every IPv4 address.
		subnet, _ := address.Prefix(24)
		found.Subnets = append(found.Subnets, imds.Subnet{Address: subnet.Addr().String(), Prefix: "24"})
	}
	if found.MACAddress == "" {
		found.MACAddress = macOf(netip.MustParseAddr(defaultIP))
	}
	return found
}

// macOf returns a locally administered MAC address that stays the same as long as the pod's address does, as many CNI plugins
// choose it: 02, 00 and the bytes of the address.
func macOf(address netip.Addr) string {
	bytes := address.As4()
	return fmt.Sprintf("0200%X", bytes[:])
}
