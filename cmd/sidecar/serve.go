package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/coredump"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/sidecar/assertionfile"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
	"github.com/kube-imds/kube-imds/internal/sidecar/scheduledevents"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
	"github.com/kube-imds/kube-imds/internal/sidecar/tokencache"
	"github.com/kube-imds/kube-imds/internal/sidecar/trustfiles"
)

const (
	// memoryLimit makes the garbage collector work harder before the container's limit is reached.
	memoryLimit = 24 << 20

	// drainTimeout bounds the requests in progress after SIGTERM.
	drainTimeout = 5 * time.Second
)

// serve serves IMDS until SIGTERM. The kubelet stops native sidecars after the applications.
func serve(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(settings.Serve, flag.ContinueOnError)
	listen := flags.String(settings.Listen, defaultListen, "the `address` to listen on, on the device lo: where net-init redirects to, or "+imdsAddress+" itself")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	debug.SetMemoryLimit(memoryLimit)
	if err := coredump.Disable(); err != nil {
		return err
	}

	config, err := readConfig(os.Getenv)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: config.logLevel}))
	config.issuer.Logger = logger
	issuer, err := issuerclient.New(config.issuer)
	if err != nil {
		return fmt.Errorf("read %s, %s and %s: %w", settings.IssuerURL, settings.IssuerCA, settings.TokenFile, err)
	}
	listener, err := podnet.Listen(ctx, *listen, config.podIPs)
	if err != nil {
		return err
	}
	devices, err := podnet.Devices(config.podIPs)
	if err != nil {
		logger.Warn("instance metadata will have no network", "error", err)
	}
	logger.Info("listening", "address", *listen, "pod", config.pod, "version", version)
	return answer(ctx, listener, issuer, interfacesOf(devices), config, logger)
}

// answer wires and runs the parts: tokens come from the cache, which asks the issuer and is emptied by the watch on the
// grant.
func answer(ctx context.Context, listener net.Listener, issuer *issuerclient.Client, interfaces []imds.Interface,
	config config, logger *slog.Logger) error {
	trusted, err := fillTrust(config, logger)
	if err != nil {
		return err
	}
	tokens := tokencache.New(issuer, time.Now, logger)
	sources := imds.Sources{
		Tokens:     tokens,
		Identities: issuer,
		Instances:  networked{issuerclient.NewInstanceCache(issuer, time.Now), interfaces},

		Attestations:  issuer,
		LoadBalancers: issuerclient.NewLoadBalancerCache(issuer, time.Now),
		Events:        scheduledevents.New(issuerclient.NewEventCache(issuer, time.Now), time.Now),
	}
	startup := &readiness{started: time.Now(), now: time.Now}
	assertion := assertionfile.New(assertionfile.Options{
		Path: config.assertionFile, ClientID: config.assertionClientID, Assertion: issuer.Assertion, Logger: logger, Settled: startup.assertionSettled,
	})
	if assertion.Path == "" {
		startup.assertionSettled()
	}
	watch := &issuerclient.GrantWatch{
		Source:   issuer,
		Logger:   logger,
		Answered: startup.issuerAnswered,
		Changed: func(*issuerapi.Grant) {
			tokens.Drop()
			assertion.GrantChanged()
		},
	}
	handler := imds.OnlyHosts(imds.NewHandler(sources, time.Now), imds.LocalHost)
	if config.azureLimits {
		handler = imds.LimitAsAzure(handler, time.Now)
	}
	handler = imds.LogRequests(handler, logger, time.Now)
	server := imds.NewServer(startup.before(handler), logger)

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { watch.Run(ctx) })
	running.Go(func() { tokens.Run(ctx) })
	if assertion.Path != "" {
		running.Go(func() { assertion.Run(ctx) })
	}
	if trusted != nil {
		running.Go(func() { trusted.Run(ctx) })
	}
	running.Go(func() {
		<-ctx.Done()
		drain(server, logger)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// fillTrust writes what the pod's containers trust before they start, if they are to trust the installation's authority.
func fillTrust(config config, logger *slog.Logger) (*trustfiles.Folder, error) {
	if config.trustFolder == "" {
		return nil, nil
	}
	folder := &trustfiles.Folder{
		Path: config.trustFolder, Authorities: []byte(config.issuer.CA), AuthoritiesFile: config.issuer.CAFile, Logger: logger,
	}
	err := folder.Fill()
	// It took more memory than anything else that the sidecar does.
	debug.FreeOSMemory()
	return folder, err
}

func drain(server *imds.Server, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		logger.Warn("requests were cut off", "error", err)
		return
	}
	logger.Info("stopped")
}
