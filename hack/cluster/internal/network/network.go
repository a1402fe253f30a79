// Package network creates the network of a cluster: a namespace for the control plane with a bridge, one per node with a
// link to the bridge, and routes between the nodes' pods. The machine's own interfaces, routes and packet filters stay as
// they are.
package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// bridge is the name of the hub's bridge.
const bridge = "nodes"

// Make creates what is missing of the cluster's network.
func Make(cluster layout.Layout) error {
	if err := loadBridgeFilter(); err != nil {
		return err
	}
	if err := makeHub(cluster); err != nil {
		return fmt.Errorf("make the network of the control plane: %w", err)
	}
	for _, node := range cluster.Nodes() {
		if err := makeNode(cluster, node); err != nil {
			return fmt.Errorf("make the network of node %s: %w", node.Name, err)
		}
	}
	return inside(cluster.Hub(), func(handle *netlink.Handle) error {
		for _, node := range cluster.Nodes() {
			if err := addRoute(handle, node.PodRange(), node.IP()); err != nil {
				return err
			}
		}
		return nil
	})
}

func makeHub(cluster layout.Layout) error {
	if err := makeNamespace(cluster.Hub()); err != nil {
		return err
	}
	return inside(cluster.Hub(), func(handle *netlink.Handle) error {
		link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
		if err := handle.LinkAdd(link); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("add the bridge: %w", err)
		}
		return errors.Join(
			setUp(handle, "lo", ""), setUp(handle, bridge, layout.HubIP+"/24"), forward())
	})
}

func makeNode(cluster layout.Layout, node layout.Node) error {
	if err := makeNamespace(node.Name); err != nil {
		return err
	}
	if err := connect(cluster, node); err != nil {
		return err
	}
	return inside(node.Name, func(handle *netlink.Handle) error {
		if err := errors.Join(setUp(handle, "lo", ""), setUp(handle, "eth0", node.IP()+"/24"), forward()); err != nil {
			return err
		}
		for _, other := range cluster.Nodes() {
			if other.Number == node.Number {
				continue
			}
			if err := addRoute(handle, other.PodRange(), other.IP()); err != nil {
				return err
			}
		}
		return addRoute(handle, "0.0.0.0/0", layout.HubIP)
	})
}

// connect links the node to the hub's bridge.
func connect(cluster layout.Layout, node layout.Node) error {
	target, err := netns.GetFromName(node.Name)
	if err != nil {
		return fmt.Errorf("find the namespace of %s: %w", node.Name, err)
	}
	defer func() { _ = target.Close() }()
	port := fmt.Sprintf("node-%d", node.Number)
	return inside(cluster.Hub(), func(handle *netlink.Handle) error {
		if _, err := handle.LinkByName(port); err == nil {
			return nil
		}
		hub, err := handle.LinkByName(bridge)
		if err != nil {
			return fmt.Errorf("find the bridge: %w", err)
		}
		pair := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: port, MasterIndex: hub.Attrs().Index},
			PeerName:      "eth0",
			PeerNamespace: netlink.NsFd(int(target)),
		}
		if err := handle.LinkAdd(pair); err != nil {
			return fmt.Errorf("add the link: %w", err)
		}
		return setUp(handle, port, "")
	})
}

func setUp(handle *netlink.Handle, name, address string) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find the interface %s: %w", name, err)
	}
	if address != "" {
		parsed, err := netlink.ParseAddr(address)
		if err != nil {
			return fmt.Errorf("read the address of %s: %w", name, err)
		}
		if err := handle.AddrReplace(link, parsed); err != nil {
			return fmt.Errorf("give %s its address: %w", name, err)
		}
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

func addRoute(handle *netlink.Handle, destination, via string) error {
	_, network, err := net.ParseCIDR(destination)
	if err != nil {
		return fmt.Errorf("read the route's destination: %w", err)
	}
	if err := handle.RouteReplace(&netlink.Route{Dst: network, Gw: net.ParseIP(via)}); err != nil {
		return fmt.Errorf("add the route to %s: %w", destination, err)
	}
	return nil
}

// bridgeFilter makes bridged packets pass the packet filters. Without it a pod's answer to a neighbour on its node, asked
// through a Service, would bypass the address translation.
const bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables"

// forward makes this thread's namespace forward packets as Services need it.
func forward() error {
	for _, path := range []string{"/proc/sys/net/ipv4/ip_forward", bridgeFilter} {
		if err := os.WriteFile(path, []byte("1"), 0); err != nil {
			return fmt.Errorf("set %s: %w", path, err)
		}
	}
	return nil
}

// loadBridgeFilter loads the kernel module if bridgeFilter does not exist.
func loadBridgeFilter() error {
	if _, err := os.Stat(bridgeFilter); err == nil {
		return nil
	}
	if output, err := exec.Command("modprobe", "br_netfilter").CombinedOutput(); err != nil {
		return fmt.Errorf("load the kernel module br_netfilter: %w\n%s", err, output)
	}
	return nil
}
