package podnet

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Device is a network device with addresses of the pod.
type Device struct {
	HardwareAddress net.HardwareAddr

	// Prefixes are the pod's addresses on the device, with their networks.
	Prefixes []netip.Prefix
}

// Devices returns the devices with the pod's addresses.
func Devices(podIPs []netip.Addr) ([]Device, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network devices: %w", err)
	}
	var devices []Device
	for _, one := range interfaces {
		addresses, err := one.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of %s: %w", one.Name, err)
		}
		if prefixes := ownPrefixes(addresses, podIPs); len(prefixes) > 0 {
			devices = append(devices, Device{one.HardwareAddr, prefixes})
		}
	}
	return devices, nil
}

func ownPrefixes(addresses []net.Addr, podIPs []netip.Addr) []netip.Prefix {
	var own []netip.Prefix
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err == nil && slices.Contains(podIPs, prefix.Addr()) {
			own = append(own, prefix)
		}
	}
	return own
}
