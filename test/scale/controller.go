package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kube-imds/kube-imds/internal/testing/address"
	"github.com/kube-imds/kube-imds/internal/testing/program"
	"github.com/kube-imds/kube-imds/internal/testing/scrape"
)

// memoryLimit is that of the chart's default, which the garbage collector knows.
const memoryLimit = "512MiB"

// controller is the running program.
type controller struct {
	program.Process
	metrics string
}

// startController starts the controller. The counting of pods goes on for a long time, so it may be left out.
func startController(ctx context.Context, binary, kubeconfig string, countPods bool) (*controller, error) {
	addresses, err := address.Free(3)
	if err != nil {
		return nil, err
	}
	_, webhookPort, err := net.SplitHostPort(addresses[2])
	if err != nil {
		return nil, err
	}
	started, err := program.Start(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig, "GOMEMLIMIT="+memoryLimit), binary,
		"--namespace="+installation, "--tenant-id=28a37578-cd01-54f5-804a-52ef0695644e", "--sidecar-image=none", "--log-level=error",
		fmt.Sprintf("--count-uninjected-pods=%t", countPods),
		"--metrics-address="+addresses[0], "--health-address="+addresses[1], "--webhook-port="+webhookPort)
	if err != nil {
		return nil, err
	}
	return &controller{started, addresses[0]}, nil
}

// usage is what the controller has used since its start.
type usage struct {
	cpu        time.Duration
	reconciled float64
	written    float64
}

// used returns the processor time, the reconciled objects of kube-imds, and the requests that write, but for its lease.
func (c *controller) used(ctx context.Context) (usage, error) {
	cpu, err := c.CPU()
	if err != nil {
		return usage{}, err
	}
	metrics, err := scrape.From(ctx, c.metrics)
	if err != nil {
		return usage{}, err
	}
	u := usage{cpu: cpu}
	for _, name := range []string{"managedidentity", "identitybinding"} {
		u.reconciled += metrics.Sum("controller_runtime_reconcile_total", `controller="`+name+`"`)
	}
	for _, method := range []string{"PATCH", "POST"} {
		u.written += metrics.Sum("rest_client_requests_total", `method="`+method+`"`)
	}
	return u, nil
}

func (u usage) minus(other usage) usage {
	return usage{u.cpu - other.cpu, u.reconciled - other.reconciled, u.written - other.written}
}

// untilIdle waits until as many identities and bindings were reconciled, and none waits to be.
func (c *controller) untilIdle(ctx context.Context, least int) error {
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		metrics, err := scrape.From(ctx, c.metrics)
		if err != nil {
			// It is starting.
			return false, nil
		}
		waiting, done := 0.0, 0.0
		for _, name := range []string{"managedidentity", "identitybinding"} {
			waiting += metrics.Sum("workqueue_depth", `name="`+name+`"`)
			waiting += metrics.Sum("controller_runtime_active_workers", `controller="`+name+`"`)
			done += metrics.Sum("controller_runtime_reconcile_total", `controller="`+name+`"`)
		}
		return waiting == 0 && done >= float64(least), nil
	})
	if err != nil {
		return fmt.Errorf("wait until the controller is idle: %w", err)
	}
	return nil
}
