package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/apigate"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/keyset"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/resource/assigned"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/server"
)

const (
	// answerTimeout bounds an answer, unless its body passes on.
	answerTimeout = 30 * time.Second

	// patience is how long a client may keep a body waiting.
	patience = time.Minute
)

// run wires the gate and runs it until the context ends.
func run(ctx context.Context, o options) error {
	backend, err := o.check()
	if err != nil {
		return err
	}
	document, err := o.readDocument(ctx)
	if err != nil {
		return err
	}
	mgr, err := o.newManager(ctx)
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(server.Collectors()...)
	keys := keyset.New(bearer.Documents(o.oidcURL, o.oidcAddress, o.tenantID, o.roots), ctrl.Log.WithName("keys"), func(error) {})
	gate := &apigate.Server{
		Namespace: o.namespace, Name: o.api, Document: document, Audiences: o.audiences, TenantID: o.tenantID, LoginURL: o.oidcURL,
		Bearer: &bearer.Validator{BaseURL: o.oidcURL, Keys: keys, Now: time.Now},
		Assignments: func(ctx context.Context) ([]role.Assignment, error) {
			return assigned.AtAPI(ctx, mgr.GetCache(), o.namespace, o.api)
		},
		Backend: backend, Transport: apigate.NewTransport(), PassToken: o.passToken, Patience: patience, Log: ctrl.Log.WithName("audit"),
	}
	parts, err := o.serve(gate)
	if err != nil {
		return err
	}
	return process.Run(ctx, mgr, append(parts, keys), map[string]healthz.Checker{"keys": process.While(keys.Ready)})
}

// check returns the URL of the backend if the settings are right.
func (o options) check() (*url.URL, error) {
	if o.api == "" || o.namespace == "" || o.openAPI == "" || o.tenantID == "" || len(o.audiences) == 0 || slices.Contains(o.audiences, "") {
		return nil, errors.New("--api, --namespace, --openapi, --tenant-id and --audience are needed")
	}
	if o.tlsFolder == "" && !isLoopback(o.listen) {
		return nil, fmt.Errorf("tokens are not for everybody to read: give --tls, or have --listen=%s be a loopback address, such as 127.0.0.1:8443", o.listen)
	}
	if o.roots() == nil {
		return nil, fmt.Errorf("%s has no certificates: mount the ConfigMap kube-imds-trust of this namespace there, or name another file with --trust-file", o.trustFile)
	}
	backend, err := url.Parse(o.backend)
	if err != nil || backend.Scheme != "http" || !isLoopback(backend.Host) || o.backend != "http://"+backend.Host {
		return nil, fmt.Errorf("--backend=%s: it must be http://127.0.0.1:PORT, where others than this pod do not reach the service without the gate", o.backend)
	}
	return backend, nil
}

// isLoopback reports whether an address with a port is one that only this pod reaches.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	parsed, err := netip.ParseAddr(host)
	return err == nil && parsed.IsLoopback()
}

func (o options) readDocument(ctx context.Context) (*apigate.Document, error) {
	file, err := os.Open(o.openAPI)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, apigate.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	document, err := apigate.ReadDocument(ctx, content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.openAPI, err)
	}
	return document, nil
}

// roots returns the installation's authorities as they are now, or nil.
func (o options) roots() *x509.CertPool {
	content, err := os.ReadFile(o.trustFile)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(content) {
		return nil
	}
	return roots
}

// newManager returns a manager that reads the role assignments of the gate's namespace, and nothing else.
func (o options) newManager(ctx context.Context) (manager.Manager, error) {
	kind := &v1alpha1.RoleAssignment{}
	mgr, err := o.NewManager(ctrl.Options{Cache: cache.Options{
		DefaultNamespaces: map[string]cache.Config{o.namespace: {}},
		ByObject:          map[client.Object]cache.ByObject{kind: {Transform: slim.Bare}},
	}})
	if err != nil {
		return nil, err
	}
	if _, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
		return nil, fmt.Errorf("watch the role assignments: %w", err)
	}
	return mgr, nil
}

// serve returns what serves the gate.
func (o options) serve(gate *apigate.Server) ([]manager.Runnable, error) {
	if o.tlsFolder == "" {
		return []manager.Runnable{server.NewPlain(o.listen, gate, answerTimeout, server.HTTP1Only())}, nil
	}
	certificate, err := certwatcher.New(filepath.Join(o.tlsFolder, "tls.crt"), filepath.Join(o.tlsFolder, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the API: %w", err)
	}
	return []manager.Runnable{certificate, server.New(o.listen, gate, certificate.GetCertificate, answerTimeout, server.HTTP1Only())}, nil
}
