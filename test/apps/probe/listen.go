package main

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// listen answers every connection with "open". It shows that packets reach a pod whose guarded listener is silent.
func listen(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("listen takes one address, not %d", len(arguments))
	}
	listener, err := net.Listen("tcp", arguments[0])
	if err != nil {
		return fmt.Errorf("listen: %w", err)
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
	}
}
