package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// connect connects, sends a request and prints the response: "answered: …" or "nothing: …". With --via it tries to connect
// to an address in another pod: it adds a route to the address via that pod, or sets its neighbour entry
// to the pod's MAC address.
func connect(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("connect", flag.ContinueOnError)
	network := flags.String("network", "tcp", "the `network`: tcp or udp")
	address := flags.String("address", "169.254.169.254:80", "the IPv4 `address` to connect to")
	via := flags.String("via", "", "the `IP` of the pod by which the address is reached")
	byMAC := flags.Bool("by-mac", false, "send to the pod's MAC address, with no gateway")
	timeout := flags.Duration("timeout", 3*time.Second, "give up after this `time`")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *via != "" {
		target, err := net.ResolveTCPAddr("tcp4", *address)
		if err != nil {
			return fmt.Errorf("read --address: %w", err)
		}
		if err := route(ctx, target.IP, net.ParseIP(*via), *byMAC); err != nil {
			return err
		}
	}
	fmt.Println(attempt(ctx, *network, *address, *timeout))
	return nil
}

func route(ctx context.Context, target, via net.IP, byMAC bool) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find the pod's interface: %w", err)
	}
	if target.IsLoopback() {
		if err := giveUpLoopback(); err != nil {
			return err
		}
	}
	path := &netlink.Route{
		LinkIndex: link.Attrs().Index,
		Dst:       &net.IPNet{IP: target, Mask: net.CIDRMask(32, 32)},
	}
	if byMAC {
		path.Scope = netlink.SCOPE_LINK
		if err := claim(ctx, link, target, via); err != nil {
			return err
		}
	} else {
		path.Gw = via
		path.SetFlag(netlink.FLAG_ONLINK)
	}
	if err := netlink.RouteReplace(path); err != nil {
		return fmt.Errorf("add the route: %w", err)
	}
	return nil
}

// claim sets target's neighbour entry to the MAC address of the pod with the address via.
func claim(ctx context.Context, link netlink.Link, target, via net.IP) error {
	hardware, err := resolve(ctx, link, via)
	if err != nil {
		return err
	}
	entry := &netlink.Neigh{
		LinkIndex:    link.Attrs().Index,
		State:        unix.NUD_PERMANENT,
		IP:           target,
		HardwareAddr: hardware,
	}
	if err := netlink.NeighSet(entry); err != nil {
		return fmt.Errorf("set the neighbour: %w", err)
	}
	return nil
}

// resolve returns the MAC address of a pod on the same link: a connection, even a refused one, makes the kernel resolve it.
func resolve(ctx context.Context, link netlink.Link, via net.IP) (net.HardwareAddr, error) {
	dialer := net.Dialer{Timeout: time.Second}
	if connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(via.String(), "9")); err == nil {
		connection.Close()
	}
	neighbours, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the neighbours: %w", err)
	}
	for _, neighbour := range neighbours {
		if neighbour.IP.Equal(via) && len(neighbour.HardwareAddr) > 0 {
			return neighbour.HardwareAddr, nil
		}
	}
	return nil, fmt.Errorf("%s is not on this pod's link", via)
}

func attempt(ctx context.Context, network, address string, timeout time.Duration) string {
	dialer := net.Dialer{Timeout: timeout}
	connection, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return "nothing: " + err.Error()
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(timeout))
	_, _ = fmt.Fprint(connection, "GET /metadata/identity/oauth2/token HTTP/1.0\r\n\r\n")
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil && line == "" {
		return "nothing: " + err.Error()
	}
	return "answered: " + strings.TrimSpace(line)
}
