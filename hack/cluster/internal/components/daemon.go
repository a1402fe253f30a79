package components

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/forward"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

func (c Components) daemon(name, namespace string, ready func(context.Context) error, binary string, arguments ...string) process.Daemon {
	return process.Daemon{
		Name:      name,
		Namespace: namespace,
		Ready:     ready,
		Command:   append([]string{filepath.Join(c.Binaries, binary)}, arguments...),
	}
}

// dialer opens a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// serves reports whether a server in a network namespace answers 200.
func serves(namespace, url string) func(context.Context) error {
	return answers(url, func(_ context.Context, _, address string) (net.Conn, error) {
		return forward.Dial(namespace, address)
	})
}

// answers reports whether a server answers 200. It does not verify the certificate, because the server was started here.
func answers(url string, dial dialer) func(context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DialContext:       dial,
	}}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}

// accepts reports whether a Unix socket takes connections.
func accepts(socket string) func(context.Context) error {
	return func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return fmt.Errorf("connect to it: %w", err)
		}
		return connection.Close()
	}
}
