package keyvault

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// certificateIsDue reports whether the policy of a certificate has it renewed by now.
func certificateIsDue(object *store.Object, now time.Time) (bool, error) {
	policy, err := decodePolicy(object)
	if err != nil {
		return false, err
	}
	leaf, err := leafOf(object.Current())
	if err != nil {
		return false, err
	}
	at, ever := policy.Renewal(leaf)
	return ever && !now.Before(at), nil
}

// next returns a new certificate by the policy, for the Rotator.
func (k *certificates) next(ctx context.Context, one store.Located) (*store.Version, []byte, error) {
	policy, err := decodePolicy(one.Object)
	if err != nil {
		return nil, nil, err
	}
	key, err := k.nextKey(ctx, one.Vault, policy, one.Object)
	if err != nil {
		return nil, nil, err
	}
	pair, err := policy.SelfSigned(key, k.Now())
	if err != nil {
		return nil, nil, err
	}
	version := k.newVersion()
	version.Tags = one.Object.Current().Tags
	value, err := describePair(&version, pair, policy)
	return &version, value, err
}
