package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The parts of a TCP connection's first packets (RFC 9293 section 3.1).
const (
	ipHeader  = 20
	tcpHeader = 20
	flagSYN   = 0x02
	flagACK   = 0x10

	rawSourcePort = 54321
)

// raw sends the first packet of a connection as a raw packet, which leaves by the pod's network device past the pod's own
// routes and rules, and prints whether it is answered. It needs NET_RAW.
func raw(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("raw", flag.ContinueOnError)
	address := flags.String("address", "169.254.169.254:80", "the IPv4 `address` to connect to")
	timeout := flags.Duration("timeout", 3*time.Second, "give up after this `time`")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(*address)
	if err != nil || !target.Addr().Is4() {
		return fmt.Errorf("read --address: %q is not an IPv4 address and a port", *address)
	}
	way, err := wayOut(ctx)
	if err != nil {
		return err
	}
	answered, err := way.knock(target, *timeout)
	if err != nil {
		return err
	}
	if answered {
		fmt.Println("answered")
	} else {
		fmt.Println("nothing")
	}
	return nil
}

// way is the way of packets out of the pod.
type way struct {
	source  netip.Addr
	device  int
	gateway net.HardwareAddr
}

// wayOut returns the way to the pod's default gateway.
func wayOut(ctx context.Context) (way, error) {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return way{}, fmt.Errorf("find the pod's interface: %w", err)
	}
	routes, err := netlink.RouteGet(net.IPv4(198, 51, 100, 1))
	if err != nil || len(routes) == 0 || routes[0].Gw == nil {
		return way{}, fmt.Errorf("find the pod's default gateway: %w", err)
	}
	hardware, err := resolve(ctx, link, routes[0].Gw)
	if err != nil {
		return way{}, err
	}
	source, _ := netip.AddrFromSlice(routes[0].Src.To4())
	return way{source, link.Attrs().Index, hardware}, nil
}

// knock sends the first packet of a connection, and reports whether the second one arrives.
func (w way) knock(target netip.AddrPort, timeout time.Duration) (bool, error) {
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_IP))
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(protocol))
	if err != nil {
		return false, fmt.Errorf("make a packet socket: %w", err)
	}
	defer func() { _ = unix.Close(socket) }()
	to := &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: w.device, Halen: 6}
	copy(to.Addr[:], w.gateway)
	if err := unix.Sendto(socket, firstPacket(w.source, target), 0, to); err != nil {
		return false, fmt.Errorf("send a packet: %w", err)
	}
	wait := unix.NsecToTimeval(int64(timeout))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return false, fmt.Errorf("bound the wait: %w", err)
	}
	packet := make([]byte, 1<<16)
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		length, _, err := unix.Recvfrom(socket, packet, 0)
		if err == unix.EAGAIN {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("await an answer: %w", err)
		}
		if grants(packet[:length], target) {
			return true, nil
		}
	}
	return false, nil
}

// firstPacket returns an IPv4 packet with a TCP SYN.
func firstPacket(source netip.Addr, target netip.AddrPort) []byte {
	packet := make([]byte, ipHeader+tcpHeader)
	ip, tcp := packet[:ipHeader], packet[ipHeader:]
	ip[0] = 4<<4 | ipHeader/4
	binary.BigEndian.PutUint16(ip[2:], uint16(len(packet)))
	ip[8], ip[9] = 64, unix.IPPROTO_TCP
	copy(ip[12:], source.AsSlice())
	copy(ip[16:], target.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	binary.BigEndian.PutUint16(tcp, rawSourcePort)
	binary.BigEndian.PutUint16(tcp[2:], target.Port())
	tcp[12], tcp[13] = tcpHeader/4<<4, flagSYN
	binary.BigEndian.PutUint16(tcp[14:], 1<<15)
	pseudo := append(append([]byte{}, ip[12:20]...), 0, unix.IPPROTO_TCP, 0, tcpHeader)
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(pseudo, tcp...)))
	return packet
}

// checksum returns the Internet's (RFC 1071), of an even number of bytes.
func checksum(content []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(content); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(content[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// grants reports whether a packet is the target's SYN and ACK.
func grants(packet []byte, target netip.AddrPort) bool {
	if len(packet) < ipHeader || packet[9] != unix.IPPROTO_TCP || [4]byte(packet[12:16]) != target.Addr().As4() {
		return false
	}
	tcp := packet[min(int(packet[0]&0xf)*4, len(packet)):]
	return len(tcp) >= tcpHeader && binary.BigEndian.Uint16(tcp) == target.Port() &&
		binary.BigEndian.Uint16(tcp[2:]) == rawSourcePort && tcp[13]&(flagSYN|flagACK) == flagSYN|flagACK
}
