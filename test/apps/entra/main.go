// Command entra serves the stand-in for Entra ID of test/entra over TLS on port 8443, or with -public the public files of a
// federation issuer, as a static website does.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kube-imds/kube-imds/test/entra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "entra:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config := flag.String("config", "", "the `file` with identities and resources, in JSON")
	public := flag.String("public", "", "the `directory` with public files to serve instead")
	secrets := flag.String("tls", "/tls", "the `directory` with tls.crt, tls.key, and with ca.crt to verify issuers by")
	flag.Parse()
	handler, err := newHandler(*config, *public, filepath.Join(*secrets, "ca.crt"))
	if err != nil {
		return err
	}
	server := &http.Server{Addr: ":8443", Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	err = server.ListenAndServeTLS(filepath.Join(*secrets, "tls.crt"), filepath.Join(*secrets, "tls.key"))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func newHandler(config, public, ca string) (http.Handler, error) {
	if public != "" {
		return files(public), nil
	}
	client, err := newClient(ca)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	var read struct {
		Identities []entra.Identity
		Resources  []string
	}
	if err := json.Unmarshal(content, &read); err != nil {
		return nil, err
	}
	server, err := entra.New(client, read.Resources...)
	if err != nil {
		return nil, err
	}
	for _, identity := range read.Identities {
		server.Register(identity)
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	// How often a token was asked for, by client ID and resource.
	mux.HandleFunc("GET /asked/{client}", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(writer, "%d", server.Asked(entra.Exchange{ClientID: request.PathValue("client"), Resource: request.URL.Query().Get("resource")}))
	})
	return mux, nil
}

// newClient returns a client that trusts the authority of the issuers' websites.
func newClient(ca string) (*http.Client, error) {
	content, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, nil
}

// files serves all files as JSON.
func files(directory string) http.Handler {
	server := http.FileServer(http.Dir(directory))
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		server.ServeHTTP(writer, request)
	})
}
