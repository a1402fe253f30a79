package podnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	redirectPort     = 15780
	sidecarAddress   = "127.0.0.1:15780"
	applicationHello = "application"
)

// newRedirectingPod returns a pod as net-init leaves it, with a guarded listener in place of the sidecar's.
func newRedirectingPod(t *testing.T) *namespace {
	t.Helper()
	pod := newNamespace(t)
	pod.do(func() {
		pod.must(AddAddress())
		pod.must(Redirect(redirectPort))
		listener, err := Listen(t.Context(), sidecarAddress, []netip.Addr{podIP})
		pod.must(err)
		go greet(listener, "hello")
		t.Cleanup(func() { listener.Close() })
	})
	return pod
}

// serveApplication starts an application's server, within do.
func (n *namespace) serveApplication(network, address string) {
	n.t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		n.t.Errorf("the application cannot listen: %v", err)
		return
	}
	go greet(listener, applicationHello)
	n.t.Cleanup(func() { listener.Close() })
}

func TestPort80IsLeftToTheApplication(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		network, address string
		reached          []string
	}{
		"any IPv4 address": {"tcp4", "0.0.0.0:80", []string{"127.0.0.1:80", "10.9.0.1:80"}},
		"any address":      {"tcp", "[::]:80", []string{"127.0.0.1:80", "10.9.0.1:80", "[::1]:80"}},
		"loopback":         {"tcp4", "127.0.0.1:80", []string{"127.0.0.1:80"}},
		"the pod's IP":     {"tcp4", "10.9.0.1:80", []string{"10.9.0.1:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, neighbour := newRedirectingPod(t), newNamespace(t)
			join(pod, neighbour)
			pod.do(func() { pod.serveApplication(test.network, test.address) })
			for _, address := range test.reached {
				if greeting, err := pod.dial(netip.Addr{}, address); greeting != applicationHello {
					t.Errorf("%s: got %q, error %v", address, greeting, err)
				}
			}
			for _, from := range []netip.Addr{{}, podIP, Address} {
				if greeting, err := pod.dial(from, imdsAddress); greeting != "hello" {
					t.Errorf("IMDS from %s: got %q, error %v", from, greeting, err)
				}
			}
		})
	}
}

// The pod has an IPv6 address only, and no route to Address.
func TestRedirectInIPv6Pod(t *testing.T) {
	t.Parallel()
	pod := newRedirectingPod(t)
	pod.connectToNew()
	pod.do(func() {
		pod.addAddress("eth0", "fd00:1::7/64")
		pod.up("eth0")
	})
	if greeting, err := pod.dial(netip.Addr{}, imdsAddress); greeting != "hello" {
		t.Errorf("got %q, error %v", greeting, err)
	}
}

// While the sidecar restarts, and on ports that IMDS does not serve, clients are refused at once instead of waiting.
func TestUnservedConnectionsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	pod := newNamespace(t)
	pod.do(func() {
		pod.must(AddAddress())
		pod.must(Redirect(redirectPort))
	})
	for _, address := range []string{imdsAddress, "169.254.169.254:443", "169.254.169.254:32526"} {
		if _, err := pod.dial(netip.Addr{}, address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", address, err)
		}
	}
	pod.do(func() {
		connection, err := net.Dial("udp", imdsAddress)
		pod.must(err)
		defer connection.Close()
		_, err = connection.Write([]byte("anybody?"))
		pod.must(err)
		if _, err := connection.Read(make([]byte, 8)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("UDP: %v", err)
		}
	})
}

func TestNeighbourReachesTheApplicationOnly(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, neighbour := newRedirectingPod(t), newNamespace(t)
			join(pod, neighbour)
			attack(pod, neighbour)
			pod.do(func() { pod.serveApplication("tcp4", "0.0.0.0:80") })
			if greeting, err := neighbour.dial(netip.Addr{}, imdsAddress); greeting != applicationHello {
				t.Errorf("port 80: got %q, error %v", greeting, err)
			}
			for _, address := range []string{"169.254.169.254:15780", "10.9.0.1:15780", sidecarAddress} {
				if greeting, err := neighbour.dial(netip.Addr{}, address); err == nil {
					t.Errorf("%s: got greeting %q", address, greeting)
				}
			}
		})
	}
}

// The pod accepts packets for 127.0.0.1 from its neighbour, as no pod does by default.
func TestLoopbackOfANeighbour(t *testing.T) {
	t.Parallel()
	pod, neighbour := newRedirectingPod(t), newNamespace(t)
	join(pod, neighbour)
	pod.do(func() {
		pod.must(os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0))
		pod.serveApplication("tcp4", "0.0.0.0:8099")
	})
	neighbour.do(func() {
		neighbour.must(os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0))
		neighbour.routeLoopback(podIP)
	})
	if greeting, err := neighbour.dial(neighbourIP, "127.0.0.1:8099"); greeting != applicationHello {
		t.Fatalf("the way does not lead to an open port, so this test shows nothing: %q, %v", greeting, err)
	}
	if greeting, err := neighbour.dial(neighbourIP, sidecarAddress); err == nil {
		t.Errorf("got greeting %q", greeting)
	}
}

// Istio redirects all of a pod's connections to its proxy by a chain like this one.
func TestRedirectDecidesBeforeOthers(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]func(*namespace, func()){
		"written before": func(pod *namespace, ours func()) { redirectAll(pod, 15001); ours() },
		"written after":  func(pod *namespace, ours func()) { ours(); redirectAll(pod, 15001) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := newNamespace(t)
			pod.do(func() {
				pod.must(AddAddress())
				others(pod, func() { pod.must(Redirect(redirectPort)) })
				pod.serveApplication("tcp4", "127.0.0.1:15001")
				listener, err := Listen(t.Context(), sidecarAddress, nil)
				pod.must(err)
				go greet(listener, "hello")
				t.Cleanup(func() { listener.Close() })
			})
			if greeting, err := pod.dial(netip.Addr{}, "169.254.169.254:81"); greeting != applicationHello {
				t.Fatalf("nothing is redirected, so this test shows nothing: %q, %v", greeting, err)
			}
			if greeting, err := pod.dial(netip.Addr{}, imdsAddress); greeting != "hello" {
				t.Errorf("IMDS: got %q, error %v", greeting, err)
			}
		})
	}
}

// redirectAll redirects all TCP connections to a port, at the priority of iptables, within do.
func redirectAll(pod *namespace, port uint16) {
	pod.t.Helper()
	connection, err := nftables.New()
	pod.must(err)
	table := connection.AddTable(&nftables.Table{Name: "mesh", Family: nftables.TableFamilyIPv4})
	chain := connection.AddChain(&nftables.Chain{
		Name: "output", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	connection.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: 1},
	}})
	pod.must(connection.Flush())
}

func TestRedirectIsWrittenOnce(t *testing.T) {
	t.Parallel()
	pod := newRedirectingPod(t)
	pod.do(func() {
		redirectAll(pod, 15001)
		pod.must(Redirect(15999))
		pod.must(Redirect(redirectPort))
		connection, err := nftables.New()
		pod.must(err)
		chains, err := connection.ListChains()
		pod.must(err)
		rules := map[string]int{}
		for _, chain := range chains {
			found, err := connection.GetRules(chain.Table, chain)
			pod.must(err)
			rules[chain.Table.Name+" "+chain.Name] = len(found)
		}
		if diff := cmp.Diff(map[string]int{"kube_imds output": 1, "mesh output": 1}, rules); diff != "" {
			t.Errorf("rules by chain (-want +got):\n%s", diff)
		}
	})
	if greeting, err := pod.dial(netip.Addr{}, "169.254.169.254:80"); greeting != "hello" {
		t.Errorf("got %q, error %v", greeting, err)
	}
}

func TestKernelWithoutRedirect(t *testing.T) {
	t.Parallel()
	lacking := []error{unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.EOPNOTSUPP, unix.ENOENT}
	for _, err := range append(lacking, unix.EPERM, unix.ENOMEM) {
		got := explained(&os.SyscallError{Syscall: "netlink", Err: err})
		if errors.Is(got, ErrNoRedirect) != slices.Contains(lacking, err) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if !strings.Contains(ErrNoRedirect.Error(), "sidecar.interception=address") {
		t.Error("the error does not name the way out:", ErrNoRedirect)
	}
}
