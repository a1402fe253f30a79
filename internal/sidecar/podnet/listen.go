package podnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen listens on address, "host:port", for connections from within the pod. Linux accepts packets for any local address
// on any device, so a neighbour that routes Address to the pod would reach an ordinary listener. This one is bound to lo,
// and closes connections from addresses that are not the pod's.
func Listen(ctx context.Context, address string, podIPs []netip.Addr) (net.Listener, error) {
	config := net.ListenConfig{Control: bindToLoopback}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s, device lo: %w%s", address, err, wayOut(err))
	}
	return &guardedListener{Listener: listener, podIPs: podIPs}, nil
}

func bindToLoopback(_, _ string, connection syscall.RawConn) error {
	var bindErr error
	err := connection.Control(func(fd uintptr) { bindErr = unix.BindToDevice(int(fd), "lo") })
	return errors.Join(err, bindErr)
}

// wayOut returns what to do about an error, if that is known.
func wayOut(err error) string {
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return ": the address is not on lo: did the init container net-init run?"
	case errors.Is(err, unix.EACCES):
		return ": the pod needs the sysctl net.ipv4.ip_unprivileged_port_start, 80 or less"
	case errors.Is(err, unix.EADDRINUSE):
		return ": another process of the pod listens on this port"
	case errors.Is(err, unix.EPERM):
		return ": binding to a device without privileges needs Linux 5.7"
	}
	return ""
}

// guardedListener closes foreign connections before a byte is read.
type guardedListener struct {
	net.Listener
	podIPs []netip.Addr
}

func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if isOwn(connection.RemoteAddr(), l.podIPs) {
			return connection, nil
		}
		connection.Close()
	}
}

// isOwn reports whether a peer is the pod itself.
func isOwn(peer net.Addr, podIPs []netip.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap()
	return ip.IsLoopback() || ip == Address || slices.Contains(podIPs, ip)
}
