// Package network makes the network of a cluster: a namespace for the control plane with a bridge, one a node, each
// with a link to the bridge, and routes between the nodes' pods. The machine's own interfaces, routes and packet
// filters stay as they are.
package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// bridge is the name of the hub's bridge.
const bridge = "nodes"

// Make makes what is missing of the cluster's network.
func Make(cluster layout.Layout) error {
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

// Remove removes the cluster's network namespaces, and with them all that is in them.
func Remove(cluster layout.Layout) error {
	var failures error
	for _, name := range cluster.NetworkNamespaces() {
		if err := netns.DeleteNamed(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = errors.Join(failures, fmt.Errorf("remove the network namespace %s: %w", name, err))
		}
	}
	return failures
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
	defer target.Close()
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

// makeNamespace makes a named network namespace, as `ip netns add` does.
func makeNamespace(name string) error {
	return onOwnThread(func() error {
		if handle, err := netns.GetFromName(name); err == nil {
			return handle.Close()
		}
		// One that lost its mount, as in a reboot, is a plain file and in the way.
		if err := netns.DeleteNamed(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			_ = os.Remove("/run/netns/" + name)
		}
		handle, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("make the network namespace %s: %w", name, err)
		}
		return handle.Close()
	})
}

// inside runs a function in a network namespace.
func inside(name string, do func(*netlink.Handle) error) error {
	return onOwnThread(func() error {
		namespace, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("find the network namespace %s: %w", name, err)
		}
		defer namespace.Close()
		if err := netns.Set(namespace); err != nil {
			return fmt.Errorf("enter the network namespace %s: %w", name, err)
		}
		handle, err := netlink.NewHandle()
		if err != nil {
			return fmt.Errorf("open netlink in %s: %w", name, err)
		}
		defer handle.Close()
		return do(handle)
	})
}

// onOwnThread runs a function on a thread that ends with it, for network namespaces belong to threads.
func onOwnThread(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- do()
	}()
	return <-result
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

// forward lets this thread's namespace forward packets, and bridged ones pass the packet filters, as Services need.
func forward() error {
	for path, value := range map[string]string{
		"/proc/sys/net/ipv4/ip_forward":                 "1",
		"/proc/sys/net/bridge/bridge-nf-call-iptables":  "1",
		"/proc/sys/net/bridge/bridge-nf-call-ip6tables": "1",
	} {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", path, err)
		}
	}
	return nil
}
