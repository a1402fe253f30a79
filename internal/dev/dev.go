// Package dev runs IMDS, an issuer, its OIDC documents and Key Vaults in one process, without a cluster: for a pod and what is around it
// as files describe them.
package dev

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/sidecar/scheduledevents"
	"github.com/kube-imds/kube-imds/internal/sidecar/tokencache"
	"github.com/kube-imds/kube-imds/internal/token"
)

// drainTimeout bounds the requests in flight at the end.
const drainTimeout = 5 * time.Second

// Dev is the process.
type Dev struct {
	// Listen is a loopback address and port.
	Listen string

	// ClaimAddress adds IMDS's own address to this machine and serves there too.
	ClaimAddress bool

	// Files describe the pod and what is around it. They are watched.
	Files Files

	// KeyVault says how the KeyVaults of the files are served.
	KeyVault KeyVault

	// Pod holds what the files do not say of the pod.
	Pod Pod

	// Defaults are what identities have if they do not say otherwise.
	Defaults identifier.Defaults

	// Metadata is what instance metadata says if the Node does not.
	Metadata machine.Defaults

	// EntraResources are the resources whose tokens name Entra ID as their issuer.
	EntraResources []string

	// Output gets the instructions once the process listens.
	Output io.Writer

	// Logger is slog's, as that of the sidecar, whose packages log to it.
	Logger *slog.Logger
}

// Run serves until the context ends.
func (d *Dev) Run(ctx context.Context) (err error) {
	objects, err := d.Files.Load()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, "--listen", d.Listen)
	if err != nil {
		return err
	}
	listeners := []net.Listener{listener}
	if d.ClaimAddress {
		claimed, release, claimErr := claim(ctx)
		if claimErr != nil {
			return errors.Join(claimErr, listener.Close())
		}
		defer func() { err = errors.Join(err, release()) }()
		listeners = append(listeners, claimed)
	}
	return d.serve(ctx, listeners, objects)
}

// serve serves on the listeners. The address of the first one is the issuer's.
func (d *Dev) serve(ctx context.Context, listeners []net.Listener, objects *manifest.Manifest) (err error) {
	baseURL := "http://" + listeners[0].Addr().String()
	vm, err := d.newMachine(baseURL)
	if err != nil {
		return err
	}
	var doors []door
	var vaults *vaultServer
	if d.KeyVault.Enabled {
		if vaults, err = d.openVaults(ctx, vm); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, vaults.close()) }()
		vm.keyVault = vaults.vaults
		doors = append(doors, door{vaults, vaults.listener})
	}
	if err := vm.load(ctx, objects); err != nil {
		return err
	}
	tokens := tokencache.New(vm, time.Now, d.Logger)
	secret := rand.Text()
	handler, err := d.handler(ctx, vm, tokens, baseURL, secret)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { tokens.Run(ctx) })
	running.Go(func() { d.watch(ctx, vm, tokens) })
	if vaults != nil {
		running.Go(func() { vaults.run(ctx) })
	}

	if err := introduce(ctx, vm, vaults, secret, len(listeners) > 1).print(d.Output); err != nil {
		return fmt.Errorf("print the instructions: %w", err)
	}
	server := imds.NewServer(handler, d.Logger)
	for _, listener := range listeners {
		doors = append(doors, door{server, listener})
	}
	return serveAll(ctx, doors)
}

// newMachine returns a virtual machine whose issuer has a URL.
func (d *Dev) newMachine(baseURL string) (*virtualMachine, error) {
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	return &virtualMachine{
		pod: d.Pod, ids: d.Defaults, metadata: d.Metadata, key: key, log: d.Logger,
		issuers: token.Issuers{BaseURL: baseURL, EntraResources: d.EntraResources},
		started: time.Now(), taints: disruption.NewTaintTimes(time.Now),
	}, nil
}

// handler returns the handler of everything that the process serves.
func (d *Dev) handler(ctx context.Context, vm *virtualMachine, tokens imds.TokenSource, baseURL, secret string) (http.Handler, error) {
	attestation, err := newAttestation(ctx, vm, baseURL)
	if err != nil {
		return nil, err
	}
	documents := &oidc.Documents{
		BaseURL: baseURL, DefaultTenant: d.Defaults.TenantID, Now: time.Now, Log: logr.FromSlogHandler(d.Logger.Handler()),
		Published: func() *published.Published { return vm.current.Load().published },
	}
	all := &routes{
		imds: imds.NewHandler(imds.Sources{
			Tokens: tokens, Identities: vm, Instances: vm, Attestations: attestation,
			LoadBalancers: vm, Events: scheduledevents.New(vm, time.Now),
		}, time.Now),
		authority:  attestation.authorityHandler(),
		appService: imds.NewAppService(tokens, secret, time.Now),
		documents:  documents.Handler(),
	}
	guarded := imds.OnlyHosts(all, imds.LocalHost)
	return imds.LogRequests(logAnswers(guarded, d.Logger), d.Logger, time.Now), nil
}

// watch follows the files. A version that is wrong changes nothing.
func (d *Dev) watch(ctx context.Context, vm *virtualMachine, tokens *tokencache.Cache) {
	d.Files.Watch(ctx, func(objects *manifest.Manifest) {
		if err := vm.load(ctx, objects); err != nil {
			d.Logger.Error("the files are wrong; what they said before still holds", "error", err)
			return
		}
		tokens.Drop()
		d.Logger.Info("the files have changed", "identities", len(vm.current.Load().granted.Identities))
	}, func(err error) {
		d.Logger.Error("the files are wrong; what they said before still holds", "error", err)
	})
}

// server serves on listeners.
type server interface {
	Serve(listener net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// door is a listener and what serves on it.
type door struct {
	server   server
	listener net.Listener
}

// serveAll serves at all doors until the context ends or one of them fails, and then lets requests finish.
func serveAll(ctx context.Context, doors []door) error {
	errs := make(chan error, len(doors))
	for _, one := range doors {
		go func() { errs <- one.server.Serve(one.listener) }()
	}
	var failed error
	select {
	case err := <-errs:
		failed = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for _, one := range doors {
		if err := one.server.Shutdown(drain); err != nil {
			// Requests that take longer are cut off.
			failed = errors.Join(failed, one.server.Close())
		}
	}
	return failed
}
