package dev

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/sidecar/scheduledevents"
	"github.com/kube-imds/kube-imds/internal/sidecar/tokencache"
	"github.com/kube-imds/kube-imds/internal/token"
)

// drainTimeout is how long requests may still take when it is stopped.
const drainTimeout = 5 * time.Second

// Dev is what runs.
type Dev struct {
	// Listen is the address and port, on loopback.
	Listen string

	// ClaimAddress adds IMDS's own address to this machine, and serves there too.
	ClaimAddress bool

	// Objects are the identities and bindings.
	Objects *manifest.Manifest

	// Pod is who asks.
	Pod Pod

	// Defaults are what identities have where they do not say otherwise.
	Defaults identifier.Defaults

	// Metadata is what instance metadata says.
	Metadata machine.Defaults

	// EntraResources are the resources whose tokens name Entra ID as their issuer.
	EntraResources []string

	// Output is told how to use it, once it listens.
	Output io.Writer

	Logger *slog.Logger
}

// Run serves until the context ends.
func (d *Dev) Run(ctx context.Context) (err error) {
	if err := resolve(d.Objects.Identities, d.Defaults); err != nil {
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
	return d.serve(ctx, listeners)
}

// serve answers on the listeners, of which the first one's address is the issuer's.
func (d *Dev) serve(ctx context.Context, listeners []net.Listener) error {
	baseURL := "http://" + listeners[0].Addr().String()
	lookup := grant.Among(d.Objects.Identities...)
	granted, err := grant.Decide(d.Pod.principal(d.Objects), lookup, d.Objects.Bindings)
	if err != nil {
		return err
	}
	key, known, err := newKey(d.Objects.Identities)
	if err != nil {
		return err
	}
	log := logr.FromSlogHandler(d.Logger.Handler())
	machine := newInstance(d.Pod, d.Metadata)
	local := &issuer.InProcess{
		Grant: granted, Identities: lookup, Log: log,
		Minters: mint.Minters{v1alpha1.TokenSourceLocal: &mint.Local{
			Key: func() *token.Key { return key }, Machine: machine.described.ResourceID, Now: time.Now,
			Issuers: token.Issuers{BaseURL: baseURL, EntraResources: d.EntraResources},
		}},
	}
	tokens := tokencache.New(local, time.Now, d.Logger)
	secret := rand.Text()
	documents := &oidc.Documents{
		BaseURL: baseURL, DefaultTenant: d.Defaults.TenantID, Published: func() *published.Published { return known }, Now: time.Now, Log: log,
	}
	attestation, err := newAttestation(ctx, machine, baseURL)
	if err != nil {
		return err
	}
	handler := &routes{
		imds: imds.NewHandler(imds.Sources{
			Tokens: tokens, Identities: local, Instances: machine, Attestations: attestation,
			LoadBalancers: uneventful{}, Events: scheduledevents.New(uneventful{time.Now()}, time.Now),
		}, time.Now),
		authority:  attestation.authorityHandler(),
		appService: imds.NewAppService(tokens, secret, time.Now),
		documents:  documents.Handler(),
	}
	guarded := imds.OnlyHosts(handler, imds.LocalHost)
	server := imds.NewServer(imds.LogRequests(guarded, d.Logger, time.Now), d.Logger)

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { tokens.Run(ctx) })

	warn(d.Logger, granted)
	introduction := introduction{
		BaseURL: baseURL, Secret: secret, Pod: d.Pod, Granted: granted, Claimed: len(listeners) > 1,
	}
	if err := introduction.print(d.Output); err != nil {
		return fmt.Errorf("print how to use it: %w", err)
	}
	return serveAll(ctx, server, listeners)
}

// serveAll serves on all listeners until the context ends or one of them fails, and lets requests end.
func serveAll(ctx context.Context, server *imds.Server, listeners []net.Listener) error {
	failed := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { failed <- server.Serve(listener) }()
	}
	var failure error
	select {
	case err := <-failed:
		failure = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		// Requests that take longer are cut off.
		failure = errors.Join(failure, server.Close())
	}
	return failure
}
