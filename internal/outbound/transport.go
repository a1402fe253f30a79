// Package outbound makes the HTTP transport for hosts outside the cluster, by way of a proxy if there is one.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"
)

// Options say how to reach hosts outside the cluster.
type Options struct {
	// Proxy is the proxy's URL. The default is the environment's, by HTTPS_PROXY and NO_PROXY.
	Proxy string

	// CAFile has more certificate authorities in PEM than the system's, such as a proxy's.
	CAFile string
}

// AddFlags adds the options to a command's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Proxy, "outbound-proxy", "", "the `URL` of the proxy to hosts outside the cluster, if it is not the environment's")
	flags.StringVar(&o.CAFile, "outbound-ca-file", "", "the `file` with more certificate authorities for hosts outside the cluster, in PEM")
}

const (
	connectTimeout = 3 * time.Second
	answerTimeout  = 8 * time.Second
)

var errNoCertificate = errors.New("it holds no certificate in PEM")

// Transport returns a transport.
func (o *Options) Transport() (*http.Transport, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	if o.CAFile != "" {
		content, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read --outbound-ca-file: %w", err)
		}
		if !roots.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("read --outbound-ca-file %s: %w", o.CAFile, errNoCertificate)
		}
	}
	proxy := http.ProxyFromEnvironment
	if o.Proxy != "" {
		parsed, err := url.Parse(o.Proxy)
		if err != nil || parsed.Host == "" {
			// The URL may have a password.
			return nil, errors.New("read --outbound-proxy: want a URL such as http://proxy.example:3128")
		}
		proxy = http.ProxyURL(parsed)
	}
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   connectTimeout,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       32,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: answerTimeout,
	}, nil
}
