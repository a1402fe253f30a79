package podnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	imdsAddress = "169.254.169.254:80"
	openAddress = "169.254.169.254:8099"
)

var (
	podIP       = netip.MustParseAddr("10.9.0.1")
	neighbourIP = netip.MustParseAddr("10.9.0.2")
)

// newPod returns a pod with the address on lo, a guarded listener there, and an open one that shows which ways lead to
// the pod at all. Both send a greeting.
func newPod(t *testing.T) *namespace {
	t.Helper()
	pod := newNamespace(t)
	pod.do(func() {
		pod.must(AddAddress())
		guarded, err := Listen(t.Context(), imdsAddress, []netip.Addr{podIP})
		pod.must(err)
		open, err := net.Listen("tcp", openAddress)
		pod.must(err)
		for _, listener := range []net.Listener{guarded, open} {
			go greet(listener, "hello")
			t.Cleanup(func() { listener.Close() })
		}
	})
	return pod
}

func greet(listener net.Listener, greeting string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		io.WriteString(connection, greeting)
		connection.Close()
	}
}

// dial connects from within a namespace and returns the greeting. A from that is not valid leaves the
// choice to the kernel.
func (n *namespace) dial(from netip.Addr, to string) (greeting string, err error) {
	n.do(func() {
		dialer := net.Dialer{Timeout: time.Second}
		if from.IsValid() {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		var connection net.Conn
		if connection, err = dialer.Dial("tcp", to); err != nil {
			return
		}
		defer connection.Close()
		var read []byte
		read, err = io.ReadAll(connection)
		greeting = string(read)
	})
	return greeting, err
}

func TestPodItselfIsServed(t *testing.T) {
	t.Parallel()
	pod, neighbour := newPod(t), newNamespace(t)
	join(pod, neighbour)
	for name, from := range map[string]netip.Addr{
		"any address":     {},
		"the pod's IP":    podIP,
		"IMDS's address":  Address,
		"the loopback IP": netip.MustParseAddr("127.0.0.1"),
	} {
		if greeting, err := pod.dial(from, imdsAddress); greeting != "hello" {
			t.Errorf("from %s: got %q, error %v", name, greeting, err)
		}
	}
}

func TestAnotherLocalAddressIsNotServed(t *testing.T) {
	t.Parallel()
	pod := newPod(t)
	outside := netip.MustParseAddr("192.0.2.1")
	pod.do(func() { pod.addAddress("lo", "192.0.2.1/32") })
	if greeting, err := pod.dial(outside, openAddress); greeting != "hello" {
		t.Fatalf("the open port does not answer, so this test shows nothing: %q, %v", greeting, err)
	}
	if greeting, _ := pod.dial(outside, imdsAddress); greeting != "" {
		t.Errorf("got greeting %q", greeting)
	}
}

// attacks are the ways by which a neighbour sends packets for Address to the pod.
var attacks = map[string]func(pod, neighbour *namespace){
	"with a route by way of the pod's IP": func(_, neighbour *namespace) {
		neighbour.do(func() { neighbour.route(podIP) })
	},
	"that sends to the pod's hardware address": func(pod, neighbour *namespace) {
		var hardware net.HardwareAddr
		pod.do(func() { hardware = pod.link("eth0").Attrs().HardwareAddr })
		neighbour.do(func() {
			neighbour.route(netip.Addr{})
			neighbour.neighbour(hardware)
		})
	},
}

func TestNeighbourIsNotServed(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, neighbour := newPod(t), newNamespace(t)
			join(pod, neighbour)
			attack(pod, neighbour)
			if greeting, err := neighbour.dial(netip.Addr{}, openAddress); greeting != "hello" {
				t.Fatalf("the way does not lead to an open port, so this test shows nothing: %q, %v", greeting, err)
			}
			if greeting, err := neighbour.dial(netip.Addr{}, imdsAddress); err == nil {
				t.Errorf("connected, got greeting %q", greeting)
			}
			if greeting, err := pod.dial(netip.Addr{}, imdsAddress); greeting != "hello" {
				t.Errorf("the pod itself is not served: %q, %v", greeting, err)
			}
		})
	}
}

// join connects a pod and its neighbour.
func join(pod, neighbour *namespace) {
	neighbour.do(func() {
		neighbour.connectTo(pod)
		neighbour.addAddress("eth0", neighbourIP.String()+"/24")
		neighbour.up("eth0")
	})
	pod.do(func() {
		pod.addAddress("eth0", podIP.String()+"/24")
		pod.up("eth0")
	})
}

func TestListenWithoutTheAddress(t *testing.T) {
	t.Parallel()
	pod := newNamespace(t)
	pod.do(func() {
		_, err := Listen(t.Context(), imdsAddress, nil)
		if !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "net-init") {
			t.Errorf("got error %v", err)
		}
	})
}

func TestListenOnLoopback(t *testing.T) {
	t.Parallel()
	listener, err := Listen(context.Background(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go greet(listener, "hello")
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if greeting, err := io.ReadAll(connection); string(greeting) != "hello" {
		t.Errorf("got greeting %q, error %v", greeting, err)
	}
}

func TestIsOwn(t *testing.T) {
	t.Parallel()
	podIPs := []netip.Addr{podIP, netip.MustParseAddr("fd00::7")}
	for peer, want := range map[string]bool{
		"127.0.0.1":        true,
		"127.1.2.3":        true,
		"::1":              true,
		"169.254.169.254":  true,
		"10.9.0.1":         true,
		"::ffff:10.9.0.1":  true,
		"fd00::7":          true,
		"10.9.0.2":         false,
		"169.254.169.253":  false,
		"fd00::8":          false,
		"fe80::1":          false,
		"0.0.0.0":          false,
		"::ffff:127.0.0.1": true,
	} {
		address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(peer), 1234))
		if got := isOwn(address, podIPs); got != want {
			t.Errorf("%s: %v", peer, got)
		}
	}
	if isOwn(&net.UnixAddr{Name: "a"}, podIPs) {
		t.Error("a socket without an IP is the pod's own")
	}
}

func TestWayOut(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		unix.EADDRNOTAVAIL: "net-init",
		unix.EACCES:        "ip_unprivileged_port_start",
		unix.EADDRINUSE:    "another process",
		unix.EPERM:         "Linux 5.7",
	} {
		if got := wayOut(&net.OpError{Op: "listen", Err: err}); !strings.Contains(got, want) {
			t.Errorf("%v: got %q", err, got)
		}
	}
	if got := wayOut(unix.ENOBUFS); got != "" {
		t.Errorf("without memory: %q", got)
	}
}
