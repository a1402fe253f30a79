package main

import (
	"context"
	"fmt"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// patience bounds the start of a controller.
const patience = 10 * time.Minute

// result is what was measured with one population.
type result struct {
	population
	untilReady time.Duration
	peak       int64
	start      usage
	changes    []changed
}

// measure starts a cluster and the controller, and measures the start and single changes.
func measure(ctx context.Context, folder, binary string, of population) (result, error) {
	r := result{population: of}
	on, err := startCluster(ctx, folder)
	if err != nil {
		return r, err
	}
	// What the measurement found matters more than how the API server ends.
	defer func() { _ = on.environment.Stop() }()
	if err := of.create(ctx, on); err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stderr, "starting the controller …")
	started := time.Now()
	first, err := startController(ctx, binary, on.kubeconfig, true)
	if err != nil {
		return r, err
	}
	defer first.Stop()
	if err := on.untilAllReady(ctx, of.identities); err != nil {
		return r, err
	}
	r.untilReady = time.Since(started)
	if err := first.untilIdle(ctx, of.identities+of.bindings); err != nil {
		return r, err
	}
	if r.start, err = first.used(ctx); err != nil {
		return r, err
	}
	if r.peak, err = first.PeakBytes(); err != nil {
		return r, err
	}
	first.Stop()
	r.changes, err = measureChanges(ctx, on, binary, of)
	return r, err
}

// measureChanges starts another controller, and measures what single changes cost it.
func measureChanges(ctx context.Context, on *cluster, binary string, of population) ([]changed, error) {
	fmt.Fprintln(os.Stderr, "changing single objects …")
	second, err := startController(ctx, binary, on.kubeconfig, false)
	if err != nil {
		return nil, err
	}
	defer second.Stop()
	if err := second.untilIdle(ctx, of.identities+of.bindings); err != nil {
		return nil, err
	}
	return second.change(ctx, on, of)
}

// untilAllReady waits until as many identities are ready. The API server ends watches that it is faster than.
func (c *cluster) untilAllReady(ctx context.Context, identities int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ready := map[string]bool{}
	for len(ready) < identities {
		if err := c.watchReady(ctx, ready, identities); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d identities are ready: %w", len(ready), identities, ctx.Err())
		}
	}
	return nil
}

// watchReady notes which identities become ready, until as many are or the watch ends.
func (c *cluster) watchReady(ctx context.Context, ready map[string]bool, identities int) error {
	events, err := c.Watch(ctx, &v1alpha1.ManagedIdentityList{})
	if err != nil {
		return fmt.Errorf("watch the identities: %w", err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Error {
			return fmt.Errorf("watch the identities: %w", apierrors.FromObject(event.Object))
		}
		identity, ok := event.Object.(*v1alpha1.ManagedIdentity)
		if ok && apimeta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady) {
			ready[identity.Name] = true
		}
		if len(ready) == identities {
			return nil
		}
	}
	return nil
}
