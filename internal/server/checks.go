package server

import (
	"fmt"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// AddChecks makes a process healthy while it runs, and ready while every function of ready returns true.
func AddChecks(to manager.Manager, ready map[string]func() bool) error {
	if err := to.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	for name, isReady := range ready {
		err := to.AddReadyzCheck(name, func(*http.Request) error {
			if !isReady() {
				return fmt.Errorf("%s is not ready", name)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("add the readiness check: %w", err)
		}
	}
	return nil
}
