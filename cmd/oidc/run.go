package main

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/server"
)

// answerTimeout bounds an answer.
const answerTimeout = 10 * time.Second

// run wires the server and runs it until the context ends.
func run(ctx context.Context, o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: server.MetricsOptions(o.metricsAddress), HealthProbeBindAddress: o.healthAddress,
	})
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	metrics.Registry.MustRegister(server.Collectors()...)
	log := ctrl.Log.WithName("oidc")
	known, roots := &published.Latest{Log: log}, &cabundle.Latest{}
	keysWatch, err := published.NewWatch(config, o.names.Keys(), known.Tell)
	if err != nil {
		return err
	}
	rootsWatch, err := published.NewWatch(config, o.names.CA(), roots.Tell)
	if err != nil {
		return err
	}
	serving, err := certificate.KeepServing(config, certificate.OIDCSigner, o.names.Services("oidc"), roots, ctrl.Log.WithName("certificate"))
	if err != nil {
		return err
	}
	documents := &oidc.Documents{
		BaseURL: o.names.URL("oidc"), DefaultTenant: v1alpha1.GUID(o.tenantID), Published: known.Current, Now: time.Now, Log: log,
	}
	for _, part := range []manager.Runnable{
		keysWatch, rootsWatch, serving,
		server.New(o.listen, documents.Handler(), serving.GetCertificate, answerTimeout),
		server.NewPlain(o.authorityAddress, cabundle.Handler(roots.Bundle), answerTimeout),
	} {
		if err := mgr.Add(part); err != nil {
			return fmt.Errorf("put the OIDC server together: %w", err)
		}
	}
	if err := server.AddChecks(mgr, map[string]func() bool{
		"published-keys": func() bool { return known.Current() != nil }, "authority": roots.Ready, "certificate": serving.Ready,
	}); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the OIDC server: %w", err)
	}
	return nil
}
