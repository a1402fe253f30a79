package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
)

// listen answers every connection with "open". It shows that packets reach a pod with a guarded listener. With
// --claim it first adds the address to lo, like a node's metadata service.
func listen(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("listen", flag.ContinueOnError)
	claims := flags.Bool("claim", false, "add the IPv4 address to the loopback device as long as this runs")
	once := flags.Bool("once", false, "end after the first connection")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("listen takes one address, got %d", flags.NArg())
	}
	if *claims {
		giveBack, err := addToLoopback(flags.Arg(0))
		if err != nil {
			return err
		}
		defer giveBack()
	}
	listener, err := listenOn(flags.Arg(0))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a connection: %w", err)
		}
		fmt.Fprintln(connection, "open")
		connection.Close()
		if *once {
			return nil
		}
	}
}

// listenOn listens like programs in C: on 0.0.0.0 for IPv4 only, where Go listens on all addresses.
func listenOn(address string) (net.Listener, error) {
	network := "tcp"
	if parsed, err := netip.ParseAddrPort(address); err == nil && parsed.Addr().Is4() {
		network = "tcp4"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
