package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// listen listens on a loopback address, which a flag names.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	if err := checkLoopback(flag, address); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: the port is in use, perhaps by another kube-imds dev: "+
			"stop that one, or choose another port with %s (127.0.0.1:0 takes any)", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// checkLoopback rejects addresses that other machines could reach, because those would get tokens.
func checkLoopback(flag, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("read %s: %w: it is an address and a port, as in 127.0.0.1:8253", flag, err)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("read %s: %q is not a loopback address: other machines could get tokens from it; "+
		"listen on 127.0.0.1, ::1 or localhost", flag, host)
}
