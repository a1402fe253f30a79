// Package process is the frame of the processes that an installation runs beside the API server: controller, signer, issuer, oidc,
// keyvault and storage-gate, and of the gate, which others run in pods of their own.
// It has the flags that all of them have, their manager, and the way they start, become ready and end.
package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// NewManager returns a manager with the kinds and addresses that all processes have.
func (f *Flags) NewManager(options ctrl.Options) (manager.Manager, error) {
	kinds, err := scheme.New()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	options.Scheme = kinds
	// Metrics are plain HTTP. The NetworkPolicy guards them.
	options.Metrics = metricsserver.Options{BindAddress: f.metricsAddress}
	options.HealthProbeBindAddress = f.healthAddress
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}

// Run runs a manager with its parts until the context ends. The process is healthy while it runs, and ready while all checks pass.
func Run(ctx context.Context, mgr manager.Manager, parts []manager.Runnable, ready map[string]healthz.Checker) error {
	for _, part := range parts {
		if err := mgr.Add(part); err != nil {
			return fmt.Errorf("add %T to the manager: %w", part, err)
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	for name, check := range ready {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("add the readiness check %s: %w", name, err)
		}
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the manager: %w", err)
	}
	return nil
}

var errNotReady = errors.New("not ready yet")

// While passes while a function returns true.
func While(ready func() bool) healthz.Checker {
	return func(*http.Request) error {
		if !ready() {
			return errNotReady
		}
		return nil
	}
}
