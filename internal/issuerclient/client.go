// Package issuerclient is the sidecar's side of the issuer's API: a source of tokens, a source of instance
// metadata, and a watch on the pod's grant.
package issuerclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Options say where the issuer is and how it and the pod know each other.
type Options struct {
	// URL is the issuer's, as in https://kube-imds-issuer.kube-imds-system.svc. Its host is the name that the
	// issuer's certificate must bear.
	URL string

	// CA is the issuer's certificate authority, in PEM.
	CA string

	// Node is the pod's node, whose issuer's certificate must be none of another node. Without it that is not looked at.
	Node string

	// TokenFile holds the pod's ServiceAccount token. It is read anew for every request, for the kubelet renews it.
	TokenFile string
}

// Client speaks to the issuer of the pod's node.
type Client struct {
	base      string
	tokenFile string
	http      *http.Client
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
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(options.CA)) {
		return nil, errors.New("the issuer's certificate authority holds no certificate in PEM")
	}
	return &Client{
		base:      strings.TrimSuffix(base.String(), "/"),
		tokenFile: options.TokenFile,
		http:      &http.Client{Transport: transport(authorities, base.Hostname(), options.Node), CheckRedirect: refuseRedirects},
	}, nil
}

// maxConnections is what a pod holds of its issuer's connections when much is asked at once: fewer than the issuer lets one
// source hold.
const maxConnections = 12

// transport never asks a proxy: what the pod's environment says of proxies is meant for its applications.
func transport(authorities *x509.CertPool, host, node string) *http.Transport {
	return &http.Transport{
		Proxy:       nil,
		DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: authorities, MinVersion: tls.VersionTLS13,
			VerifyConnection: func(state tls.ConnectionState) error { return checkNode(state.PeerCertificates[0], host, node) },
		},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 2,
		MaxConnsPerHost:     maxConnections,
		IdleConnTimeout:     2 * time.Minute,

		MaxResponseHeaderBytes: 16 << 10,
	}
}

// errOtherNode is told of an issuer that may see what this pod is given, and is to see that of its own node's pods alone.
var errOtherNode = errors.New("the certificate is that of another node's issuer")

// checkNode refuses the certificate of another node's issuer: one that a node holds is of use on that node alone. A certificate
// that names no node was made before they did, and is taken until it expires.
func checkNode(certificate *x509.Certificate, host, node string) error {
	isOfNode := func(name string) bool { return strings.HasSuffix(name, issuerapi.NodeHost("", host)) }
	if node == "" || !slices.ContainsFunc(certificate.DNSNames, isOfNode) ||
		slices.Contains(certificate.DNSNames, issuerapi.NodeHost(node, host)) {
		return nil
	}
	return errOtherNode
}

// refuseRedirects keeps the ServiceAccount token from going anywhere else.
func refuseRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
