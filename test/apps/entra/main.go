// Command entra serves the stand-in for Entra ID of test/entra over TLS, and on another address the interface by which a test
// drives it. With -public it serves the public files of a federation issuer instead, as a static website does.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "entra:", err)
		os.Exit(1)
	}
}

// run serves until the context ends. It prints the addresses.
func run(ctx context.Context, arguments []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("entra", flag.ContinueOnError)
	listen := flags.String("listen", ":8443", "the `address` of the authority, or of the public files")
	admin := flags.String("admin", ":8081", "the `address` of the interface for tests, without TLS; empty for none")
	public := flags.String("public", "", "the `directory` with public files to serve instead")
	secrets := flags.String("tls", "/tls", "the `directory` with tls.crt, tls.key, and with ca.crt to verify issuers by")
	o.addTo(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(*secrets, "tls.crt"), filepath.Join(*secrets, "tls.key"))
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	serving := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if *public != "" {
		return serve(ctx, stdout, place{"public files", *listen, files(*public), serving})
	}
	standIn, err := o.newServer(filepath.Join(*secrets, "ca.crt"))
	if err != nil {
		return err
	}
	places := []place{{"authority", *listen, withCounts(standIn), serving}}
	if *admin != "" {
		places = append(places, place{"admin", *admin, standIn.Admin(), nil})
	}
	context.AfterFunc(ctx, standIn.Release)
	return serve(ctx, stdout, places...)
}

// place is an address and what is served there.
type place struct {
	name    string
	address string
	handler http.Handler
	tls     *tls.Config // nil for none
}

// serve serves all places until the context ends or one fails.
func serve(ctx context.Context, stdout io.Writer, places ...place) error {
	ended := make(chan error, len(places))
	for _, one := range places {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", one.address)
		if err != nil {
			return fmt.Errorf("listen on %s for the %s: %w", one.address, one.name, err)
		}
		server := &http.Server{
			Handler: one.handler, TLSConfig: one.tls,
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		}
		defer func() { _ = server.Close() }()
		fmt.Fprintf(stdout, "%s: %s\n", one.name, listener.Addr())
		go func() {
			if one.tls == nil {
				ended <- server.Serve(listener)
			} else {
				ended <- server.ServeTLS(listener, "", "")
			}
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// files serves all files as JSON.
func files(directory string) http.Handler {
	server := http.FileServer(http.Dir(directory))
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		server.ServeHTTP(writer, request)
	})
}
