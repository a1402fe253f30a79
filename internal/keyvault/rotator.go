package keyvault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// Rotator rotates the keys whose policies say so.
type Rotator struct {
	Server *Server

	// Every is how often it looks.
	Every time.Duration
}

// NeedLeaderElection returns false: a rotation that another server did first is none.
func (r *Rotator) NeedLeaderElection() bool { return false }

// Start rotates until the context ends.
func (r *Rotator) Start(ctx context.Context) error {
	ticks := time.NewTicker(r.Every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			if err := r.Rotate(ctx); err != nil && ctx.Err() == nil {
				r.Server.Log.Error(err, "cannot rotate all keys that are due; it is tried again", "after", r.Every.String())
			}
		}
	}
}

// Rotate rotates all keys that are due.
func (r *Rotator) Rotate(ctx context.Context) error {
	k := keys{r.Server.keys()}
	all, err := k.store.All(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, one := range all {
		if err := r.rotate(ctx, k, one); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (r *Rotator) rotate(ctx context.Context, k keys, one store.Located) error {
	isDue, err := due(one.Object, k.Now())
	if err != nil || !isDue || one.Object.Deleted != nil {
		return err
	}
	version, private, err := k.successor(ctx, one.Object)
	if err != nil {
		return fmt.Errorf("make the successor of key %s: %w", one.Object.Name, err)
	}
	if err := k.store.PutValue(ctx, one.Vault, one.Object.Name, version.ID, private); err != nil {
		return err
	}
	_, err = k.store.Change(ctx, one.Vault, one.Object.Name, func(object *store.Object) error {
		if isDue, err := stillDue(object, k.Now()); err != nil || !isDue {
			return errors.Join(err, errNotDue)
		}
		object.Versions = append(object.Versions, *version)
		return nil
	})
	if errors.Is(err, errNotDue) {
		return nil
	}
	if err == nil {
		k.Log.Info("rotated", "vaultUID", one.Vault, "object", one.Object.Name, "version", version.ID, "reason", "RotationPolicy")
	}
	return err
}

// errNotDue ends a rotation that another server did first.
var errNotDue = errors.New("it is not due any more")

func stillDue(object *store.Object, now time.Time) (bool, error) {
	if len(object.Versions) == 0 || object.Deleted != nil {
		return false, nil
	}
	return due(object, now)
}
