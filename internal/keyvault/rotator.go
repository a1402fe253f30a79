package keyvault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// Rotator rotates keys, and renews certificates that sign themselves, when their policies say so.
type Rotator struct{ Server *Server }

// Rotate rotates and renews all that is due.
func (r *Rotator) Rotate(ctx context.Context) error {
	kinds := r.Server.newKinds()
	return errors.Join(
		rotateAll(ctx, kinds.keys.kind, rotationOf{isDue: keyIsDue, next: kinds.keys.next}),
		rotateAll(ctx, kinds.certificates.kind, rotationOf{isDue: certificateIsDue, next: kinds.certificates.next}),
	)
}

// rotationOf is how objects of a kind get their next version.
type rotationOf struct {
	isDue func(object *store.Object, now time.Time) (bool, error)

	// next returns the next version and its value.
	next func(ctx context.Context, one store.Located) (*store.Version, []byte, error)
}

func rotateAll(ctx context.Context, k *kind, how rotationOf) error {
	all, err := k.store.All(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, one := range all {
		if err := rotateOne(ctx, k, how, one); err != nil {
			failed = append(failed, fmt.Errorf("rotate %s %s: %w", k.title, one.Object.Name, err))
		}
	}
	return errors.Join(failed...)
}

// errNotDue ends a rotation that another server did first.
var errNotDue = errors.New("it is not due any more")

func rotateOne(ctx context.Context, k *kind, how rotationOf, one store.Located) error {
	if isDue, err := how.isDue(one.Object, k.Now()); err != nil || !isDue || one.Object.Deleted != nil {
		return err
	}
	version, value, err := how.next(ctx, one)
	if err != nil {
		return err
	}
	if err := k.store.PutValue(ctx, one.Vault, one.Object.Name, version.ID, value); err != nil {
		return err
	}
	_, err = k.store.Change(ctx, one.Vault, one.Object.Name, func(object *store.Object) error {
		if len(object.Versions) == 0 || object.Deleted != nil {
			return errNotDue
		}
		if isDue, err := how.isDue(object, k.Now()); err != nil || !isDue {
			return errors.Join(err, errNotDue)
		}
		object.Versions = append(object.Versions, *version)
		return nil
	})
	if errors.Is(err, errNotDue) {
		return nil
	}
	if err == nil {
		k.Log.Info("rotated", "vaultUID", one.Vault, "kind", k.plural, "object", one.Object.Name, "version", version.ID, "reason", "Policy")
	}
	return err
}
