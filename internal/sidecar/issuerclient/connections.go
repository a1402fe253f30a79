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

// connections are the connections made while one set of authorities was trusted. A new set gets new ones, so that nothing
// is used that an authority vouched for which is no longer trusted.
type connections struct {
	http *http.Client

	// outdated ends when another set of authorities is trusted.
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

// connections returns the connections to use now.
func (c *connector) connections() *connections {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed := c.trust.refresh(); changed || c.current == nil {
		before := c.current
		c.current = c.connect(c.trust.pool)
		if before != nil {
			before.end()
			// Requests in progress are short, and close their connections when they end.
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

// maxConnections bounds a pod's connections to the issuer, below what the issuer allows one source.
const maxConnections = 12

// transport uses no proxy: proxies in the pod's environment are meant for its applications.
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

// errOtherNode keeps another node's issuer from seeing this pod's tokens.
var errOtherNode = errors.New("the certificate is that of another node's issuer")

// checkNode rejects the certificate of another node's issuer, so that a stolen one is of use on its own node only. A
// certificate that names no node predates this check, and is accepted until it expires.
func checkNode(certificate *x509.Certificate, host, node string) error {
	isOfNode := func(name string) bool { return strings.HasSuffix(name, issuerapi.NodeHost("", host)) }
	if node == "" || !slices.ContainsFunc(certificate.DNSNames, isOfNode) ||
		slices.Contains(certificate.DNSNames, issuerapi.NodeHost(node, host)) {
		return nil
	}
	return errOtherNode
}

// refuseRedirects keeps the ServiceAccount token from being sent elsewhere.
func refuseRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
