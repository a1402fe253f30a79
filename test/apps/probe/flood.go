package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// flood opens TLS connections to a server, leaves them idle, and prints how many are still open a second later.
func flood(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	address := flags.String("address", "", "the `address` of the server")
	connections := flags.Int("connections", 6000, "how many to try to open")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		made []net.Conn
	)
	turns := make(chan struct{}, 64)
	for range *connections {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			dialer := tls.Dialer{
				NetDialer: &net.Dialer{Timeout: 5 * time.Second},
				Config:    &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}},
			}
			connection, err := dialer.DialContext(ctx, "tcp", *address)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made = append(made, connection)
		})
	}
	all.Wait()
	open := 0
	deadline := time.Now().Add(time.Second)
	for _, connection := range made {
		if isOpen(connection, deadline) {
			open++
		}
	}
	_, err := fmt.Fprintln(os.Stdout, open)
	return err
}

// isOpen reports whether a connection has not been closed by a time.
func isOpen(connection net.Conn, deadline time.Time) bool {
	_ = connection.SetReadDeadline(deadline)
	buffer := make([]byte, 512)
	for {
		if _, err := connection.Read(buffer); err != nil {
			return errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}
