package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/kube-imds/kube-imds/test/entra"
)

// options are the settings of the stand-in.
type options struct {
	config               string
	propagation          time.Duration
	keysAge, keysPause   time.Duration
	expiresIn, refreshIn int
}

// config is what the file has.
type config struct {
	Identities []entra.Identity
	Resources  []string

	// VersionTwo has the application IDs of resources that want tokens of version 2.
	VersionTwo map[string]string

	// Hosts are the authority's names, if it is reached by login.microsoftonline.com too.
	Hosts []string

	Faults []entra.Fault
}

func (o *options) addTo(flags *flag.FlagSet) {
	flags.StringVar(&o.config, "config", "", "the `file` with identities, resources and faults, in JSON")
	flags.DurationVar(&o.propagation, "propagation", 0, "how long a federated credential needs to take effect")
	flags.DurationVar(&o.keysAge, "keys-age", 0, "how long the public files of issuers are cached")
	flags.DurationVar(&o.keysPause, "keys-pause", 0, "how long they are not read again for an unknown key")
	flags.IntVar(&o.expiresIn, "expires-in", 86399, "the life of tokens in `seconds`")
	flags.IntVar(&o.refreshIn, "refresh-in", 0, "the refresh_in of tokens in `seconds`; 0 for none")
}

// newServer returns a stand-in that verifies issuers by the authorities in a file.
func (o *options) newServer(ca string) (*entra.Server, error) {
	var read config
	if o.config != "" {
		content, err := os.ReadFile(o.config)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&read); err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
	}
	client, err := newClient(ca)
	if err != nil {
		return nil, err
	}
	server, err := entra.New(client, read.Resources...)
	if err != nil {
		return nil, err
	}
	server.VersionTwo, server.Hosts, server.Propagation = read.VersionTwo, read.Hosts, o.propagation
	server.KeysAge, server.KeysPause = o.keysAge, o.keysPause
	server.ExpiresIn, server.RefreshIn = o.expiresIn, o.refreshIn
	if err := server.Add(read.Identities...); err != nil {
		return nil, err
	}
	server.Fail(read.Faults...)
	return server, nil
}

// newClient returns a client that trusts the authority of the issuers' websites.
func newClient(ca string) (*http.Client, error) {
	content, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("read the issuers' authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, nil
}

// withCounts adds to the authority how often a token was asked for, by client ID and resource, for pods that reach nothing else.
func withCounts(server *entra.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("GET /asked/{client}", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(writer, "%d", server.Asked(entra.Exchange{ClientID: request.PathValue("client"), Resource: request.URL.Query().Get("resource")}))
	})
	return mux
}
