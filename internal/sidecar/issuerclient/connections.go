package issuerclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// connections are those to the issuer that were made while the same authorities were trusted. Under others, new ones are
// made: what an authority has vouched for that is trusted no more is not used again.
type connections struct {
	http *http.Client

	// outdated ends when other authorities are trusted.
	outdated context.Context
	end      context.CancelFunc
}

// connector makes connections.
type connector struct {
	host, node string

	mu      sync.Mutex
	trust   *trust
	current *connections
}

// connections are those to use now.
func (c *connector) connections() *connections {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed := c.trust.refresh(); changed || c.current == nil {
		before := c.current
		c.current = c.connect(c.trust.pool)
		if before != nil {
			before.end()
			// Requests that are under way are short, and close theirs when they are done.
			before.http.CloseIdleConnections()
		}
	}
	return c.current
}

func (c *connector) connect(authorities *x509.CertPool) *connections {
	outdated, end := context.WithCancel(context.Background())
	return &connections{
		http:     &http.Client{Transport: transport(authorities, c.host, c.node), CheckRedirect: refuseRedirects},
		outdated: outdated, end: end,
	}
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
