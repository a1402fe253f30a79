package keys

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/keyring"
)

func (i *installation) order(annotation, value string) {
	i.Helper()
	i.change(func(secret *corev1.Secret) { secret.Annotations = map[string]string{annotation: value} })
}

func (i *installation) wantNoOrder() {
	i.Helper()
	i.change(func(secret *corev1.Secret) {
		if len(secret.Annotations) > 0 {
			i.Errorf("the order remains: %v", secret.Annotations)
		}
	})
}

func TestRotationByCommand(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	before := keeper.Key().ID
	i.order(keyring.RotateAnnotation, "now")
	i.settle(keeper)
	if keeper.Key().ID != before {
		t.Error("a key signs before it was published for long enough")
	}
	i.now = i.now.Add(24 * time.Hour)
	i.settle(keeper)
	if known := i.published(); keeper.Key().ID == before || !known.Has(before) || !known.Has(keeper.Key().ID) || known.Revocations != 0 {
		t.Errorf("signing key = %s, before %s; published: %+v", keeper.Key().ID, before, known)
	}
	i.wantNoOrder()
	i.now = i.now.Add(25 * time.Hour)
	i.settle(keeper)
	if i.published().Has(before) {
		t.Error("the former key is published after its last token has expired")
	}
}

func TestRevocation(t *testing.T) {
	for _, what := range []string{keyring.CurrentKey, "by ID"} {
		t.Run(what, func(t *testing.T) {
			i := newInstallation(t)
			one, other := i.keeper(), i.keeper()
			i.settle(one, other)
			before := one.Key().ID
			i.order(keyring.RevokeAnnotation, map[bool]string{true: what, false: " " + before + ",unknown"}[what == keyring.CurrentKey])
			i.settle(one, other)
			known := i.published()
			for _, keeper := range []*Keeper{one, other} {
				if key := keeper.Key(); key == nil || key.ID == before || !known.Has(key.ID) {
					t.Errorf("key %v signs after %s was revoked", key, before)
				}
			}
			if known.Has(before) || known.Revocations != 1 {
				t.Errorf("published keys = %v, revocations = %d", known.KeyIDs, known.Revocations)
			}
			i.wantNoOrder()
		})
	}
}

func TestRevocationOfUnknownKeyIsDropped(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	before := i.published()
	i.order(keyring.RevokeAnnotation, "unknown")
	i.settle(keeper)
	if after := i.published(); after.Generation != before.Generation {
		t.Errorf("generation = %d, before %d", after.Generation, before.Generation)
	}
	i.wantNoOrder()
}

// Emptying the Secret revokes all its keys.
func TestEmptiedSecretRevokesAll(t *testing.T) {
	for name, restarted := range map[string]bool{"a replica that knew the keys": false, "one that has just started": true} {
		t.Run(name, func(t *testing.T) {
			i := newInstallation(t)
			keeper := i.keeper()
			i.settle(keeper)
			before := i.published()
			i.change(func(secret *corev1.Secret) { secret.Data = nil })
			if restarted {
				keeper = i.keeper()
			}
			i.settle(keeper)
			after := i.published()
			if after.Generation <= before.Generation || after.Revocations != before.Revocations+1 {
				t.Errorf("generation %d, %d revocations", after.Generation, after.Revocations)
			}
			for id := range before.KeyIDs {
				if after.Has(id) || keeper.Key().ID == id {
					t.Errorf("key %s is still published", id)
				}
			}
		})
	}
}
