package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
)

func TestInterfacesOfDevices(t *testing.T) {
	t.Parallel()
	devices := []podnet.Device{
		{HardwareAddress: net.HardwareAddr{0x60, 0x45, 0xbd, 0xc8, 0x99, 0x87}, Prefixes: []netip.Prefix{
			netip.MustParsePrefix("10.244.1.7/24"), netip.MustParsePrefix("fd00::7/64"),
		}},
		{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/32")}},
	}
	want := []imds.Interface{
		{MACAddress: "6045BDC89987", IPv4: []string{"10.244.1.7"}, IPv6: []string{"fd00::7"}, Subnets: []imds.Subnet{{Address: "10.244.1.0", Prefix: "24"}}},
		{IPv4: []string{"10.9.0.1"}, Subnets: []imds.Subnet{{Address: "10.9.0.1", Prefix: "32"}}},
	}
	if diff := cmp.Diff(want, interfacesOf(devices)); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
}

// instanceFunc is a source of instance metadata.
type instanceFunc func() (*imds.Instance, error)

func (f instanceFunc) Instance(context.Context) (*imds.Instance, error) { return f() }

func TestNetworkIsAddedToTheInstance(t *testing.T) {
	t.Parallel()
	shared := &imds.Instance{Name: "orders"}
	interfaces := []imds.Interface{{MACAddress: "6045BDC89987"}}
	got, err := networked{instanceFunc(func() (*imds.Instance, error) { return shared, nil }), interfaces}.Instance(t.Context())
	if diff := cmp.Diff(&imds.Instance{Name: "orders", Interfaces: interfaces}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if shared.Interfaces != nil {
		t.Error("the shared instance is changed")
	}
	away := errors.New("away")
	_, err = networked{instanceFunc(func() (*imds.Instance, error) { return nil, away }), nil}.Instance(t.Context())
	if !errors.Is(err, away) {
		t.Errorf("got error %v", err)
	}
}
