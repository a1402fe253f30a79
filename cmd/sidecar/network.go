package main

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
)

// networked adds the pod's network to the instance that another source tells of: the sidecar is where it is.
type networked struct {
	imds.InstanceSource
	interfaces []imds.Interface
}

// Instance is the other source's, with the network.
func (n networked) Instance(ctx context.Context) (*imds.Instance, error) {
	instance, err := n.InstanceSource.Instance(ctx)
	if err != nil {
		return nil, err
	}
	complete := *instance
	complete.Interfaces = n.interfaces
	return &complete, nil
}

// interfacesOf are devices as IMDS tells of them.
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
