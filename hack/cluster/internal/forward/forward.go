// Package forward forwards connections from a loopback address of the machine into a network namespace, so that the
// cluster's addresses need not exist outside.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"time"

	"github.com/vishvananda/netns"
)

// Serve accepts connections until the context ends, and forwards each to the target in the network namespace.
func Serve(ctx context.Context, listen, namespace, target string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a connection: %w", err)
		}
		go carry(connection, func() (net.Conn, error) { return Dial(namespace, target) })
	}
}

// carry copies bytes both ways until both sides have ended. It passes on each side's end, so that the other may still
// answer.
func carry(outside net.Conn, dial func() (net.Conn, error)) {
	defer outside.Close()
	inside, err := dial()
	if err != nil {
		// The client sees its connection closed, as without a listener.
		return
	}
	defer inside.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{outside, inside}, {inside, outside}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].(*net.TCPConn).CloseWrite()
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}

// Dial opens a connection on a thread that enters the namespace and ends; the connection stays there.
func Dial(namespace, target string) (net.Conn, error) {
	type result struct {
		connection net.Conn
		err        error
	}
	dialled := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		handle, err := netns.GetFromName(namespace)
		if err == nil {
			defer func() { _ = handle.Close() }()
			err = netns.Set(handle)
		}
		if err != nil {
			dialled <- result{nil, fmt.Errorf("enter the network namespace %s: %w", namespace, err)}
			return
		}
		connection, err := net.DialTimeout("tcp", target, 5*time.Second)
		dialled <- result{connection, err}
	}()
	r := <-dialled
	return r.connection, r.err
}
