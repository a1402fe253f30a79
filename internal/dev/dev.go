// Package dev runs IMDS, an issuer and its OIDC documents in one process, without a cluster: for a pod and what is around it
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
	listener, err := listen(ctx, d.Listen)
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
func (d *Dev) serve(ctx context.Context, listeners []net.Listener, objects *manifest.Manifest) error {
	baseURL := "http://" + listeners[0].Addr().String()
	key, err := newSigningKey()
	if err != nil {
		return err
	}
	vm := &virtualMachine{
		pod: d.Pod, ids: d.Defaults, metadata: d.Metadata, key: key, log: d.Logger,
		issuers: token.Issuers{BaseURL: baseURL, EntraResources: d.EntraResources},
		started: time.Now(), taints: disruption.NewTaintTimes(time.Now),
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

	current := vm.current.Load()
	introduction := introduction{
		BaseURL: baseURL, Secret: secret, Pod: current.pod, Granted: current.granted, Claimed: len(listeners) > 1,
	}
	if err := introduction.print(d.Output); err != nil {
		return fmt.Errorf("print the instructions: %w", err)
	}
	return serveAll(ctx, imds.NewServer(handler, d.Logger), listeners)
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

// serveAll serves on all listeners until the context ends or one of them fails, and then lets requests finish.
func serveAll(ctx context.Context, server *imds.Server, listeners []net.Listener) error {
	errs := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { errs <- server.Serve(listener) }()
	}
	var failed error
	select {
	case err := <-errs:
		failed = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		// Requests that take longer are cut off.
		failed = errors.Join(failed, server.Close())
	}
	return failed
}
