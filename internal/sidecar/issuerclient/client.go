// Package issuerclient is the sidecar's side of the issuer's API: a source of tokens, a source of instance
// metadata, and a watch on the pod's grant.
package issuerclient

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Options say where the issuer is and how it and the pod know each other.
type Options struct {
	// URL is the issuer's, as in https://kube-imds-issuer.kube-imds-system.svc. Its host is the name that the
	// issuer's certificate must bear.
	URL string

	// CA is the issuer's certificate authority, in PEM, as the pod was made with it; CAFile, if any, holds those that are
	// trusted now, once the kubelet has brought it.
	CA, CAFile string

	// Node is the pod's node, whose issuer's certificate must be none of another node. Without it that is not looked at.
	Node string

	// TokenFile holds the pod's ServiceAccount token. It is read anew for every request, for the kubelet renews it.
	TokenFile string

	// Logger is told of changes of the authorities; nil is nobody.
	Logger *slog.Logger
}

// Client speaks to the issuer of the pod's node.
type Client struct {
	connector

	base      string
	tokenFile string
}

// How long the issuer may take. An application waits for all of it.
const (
	dialTimeout    = 2 * time.Second
	requestTimeout = 5 * time.Second
)

// New makes a client. It does not reach for the issuer yet.
func New(options Options) (*Client, error) {
	base, err := url.Parse(options.URL)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's URL: %w", err)
	}
	if base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("the issuer's URL %q is not an https URL", options.URL)
	}
	if options.TokenFile == "" {
		return nil, errors.New("the file of the ServiceAccount token is not named")
	}
	trust, err := newTrust([]byte(options.CA), options.CAFile, cmp.Or(options.Logger, slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return &Client{
		connector: connector{host: base.Hostname(), node: options.Node, trust: trust},
		base:      strings.TrimSuffix(base.String(), "/"),
		tokenFile: options.TokenFile,
	}, nil
}
