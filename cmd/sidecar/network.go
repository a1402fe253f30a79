package main

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
)

// networked adds the pod's network to an instance, which the sidecar knows itself.
type networked struct {
	imds.InstanceSource
	interfaces []imds.Interface
}

// Instance returns the other source's instance with the network.
func (n networked) Instance(ctx context.Context) (*imds.Instance, error) {
	instance, err := n.InstanceSource.Instance(ctx)
	if err != nil {
		return nil, err
	}
	complete := *instance
	complete.Interfaces = n.interfaces
	return &complete, nil
}

// interfacesOf returns devices in IMDS's form.
func interfacesOf(devices []podnet.Device) []imds.Interface {
	var interfaces []imds.Interface
	for _, device := range devices {
		described := imds.Interface{MACAddress: strings.ToUpper(hex.EncodeToString(device.HardwareAddress))}
		for _, prefix := range device.Prefixes {
			address := prefix.Addr().String()
			if prefix.Addr().Is6() {
				described.IPv6 = append(described.IPv6, address)
				continue
			}
			described.IPv4 = append(described.IPv4, address)
			described.Subnets = append(described.Subnets, imds.Subnet{
				Address: prefix.Masked().Addr().String(), Prefix: strconv.Itoa(prefix.Bits()),
			})
		}
		interfaces = append(interfaces, described)
	}
	return interfaces
}
