package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// proxy is like the proxy of a service mesh: it accepts the connections that the pod's rules redirect to its address,
// forwards each to its original destination, and prints a line about it.
func proxy(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("proxy takes one address, got %d", len(arguments))
	}
	listener, err := listenOn(arguments[0])
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a connection: %w", err)
		}
		connections.Go(func() { passOn(ctx, connection.(*net.TCPConn)) })
	}
}

func passOn(ctx context.Context, inbound *net.TCPConn) {
	defer func() { _ = inbound.Close() }()
	target, err := originalDestination(inbound)
	if err != nil {
		fmt.Println("lost:", err)
		return
	}
	fmt.Println("to", target)
	outbound, err := new(net.Dialer).DialContext(ctx, "tcp", target.String())
	if err != nil {
		return
	}
	defer outbound.Close()
	defer context.AfterFunc(ctx, func() { _ = inbound.Close(); outbound.Close() })()
	go func() {
		_, _ = io.Copy(outbound, inbound)
		_ = outbound.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(inbound, outbound)
}

// originalDestination returns the destination of a redirected connection, which the kernel returns as a struct sockaddr_in. It is
// read by a function for a socket option of the same size.
func originalDestination(connection *net.TCPConn) (netip.AddrPort, error) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var option *unix.IPv6Mreq
	var optionErr error
	err = raw.Control(func(fd uintptr) {
		option, optionErr = unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST)
	})
	if err := errors.Join(err, optionErr); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the original destination: %w", err)
	}
	address := option.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), uint16(address[2])<<8|uint16(address[3])), nil
}
