// Package issuerclient is the sidecar's client of its node's issuer: a source for every endpoint of IMDS, and a watch on
// the pod's grant.
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

// Options say where the issuer is, and how it and the pod authenticate.
type Options struct {
	// URL is the issuer's, such as https://kube-imds-issuer.kube-imds-system.svc. The certificate must have its host name.
	URL string

	// CA has the PEM certificates of the authorities from the pod's injection. CAFile, if set, has the ones trusted now,
	// once the kubelet has written it.
	CA, CAFile string

	// Node is the pod's node. A certificate that names another node is refused; "" accepts any.
	Node string

	// TokenFile holds the pod's ServiceAccount token. It is read for every request, because the kubelet renews it.
	TokenFile string

	// Logger logs changes of the authorities; nil logs nothing.
	Logger *slog.Logger
}

// Client talks to the issuer of the pod's node.
type Client struct {
	connector

	base      string
	tokenFile string
}

// The time limits of the issuer. An application waits for all of it.
const (
	dialTimeout    = 2 * time.Second
	requestTimeout = 5 * time.Second
)

// New returns a client. It does not connect yet.
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
