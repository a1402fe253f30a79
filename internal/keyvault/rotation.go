package keyvault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/rotation"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// rotate adds a version with a new key of the same kind.
func (k keys) rotate(x *exchange) (int, any, error) {
	if err := k.refuseManaged(x); err != nil {
		return 0, nil, err
	}
	one, err := k.get(x, false)
	if err != nil {
		return 0, nil, err
	}
	version, private, err := k.successor(x.request.Context(), one.object)
	if err != nil {
		return 0, nil, err
	}
	object, err := k.add(x, *version, private, nil)
	return k.current(x, object, err)
}

// successor makes the version that follows the current one, and its private key.
func (k keys) successor(ctx context.Context, object *store.Object) (*store.Version, []byte, error) {
	policy, err := policyOf(object)
	if err != nil {
		return nil, nil, err
	}
	public, err := publicOf(object.Current())
	if err != nil {
		return nil, nil, err
	}
	spec, err := public.Spec()
	if err != nil {
		return nil, nil, err
	}
	key, err := generate(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	version := k.newVersion()
	version.Tags = object.Current().Tags
	expireBy(policy, &version)
	private, err := describeKey(&version, key, public.Operations)
	return &version, private, err
}

// rotationPolicy returns the policy of a key, Azure's default if it was given none.
func (k keys) rotationPolicy(x *exchange) (int, any, error) {
	if err := k.refuseManaged(x); err != nil {
		return 0, nil, err
	}
	one, err := k.get(x, false)
	if err != nil {
		return 0, nil, err
	}
	return k.answerPolicy(x, one.object)
}

// setRotationPolicy sets the policy of a key.
func (k keys) setRotationPolicy(x *exchange) (int, any, error) {
	document, err := io.ReadAll(io.LimitReader(x.request.Body, maxBody))
	if err != nil {
		return 0, nil, badParameter("The request body cannot be read.")
	}
	policy, err := rotation.Parse(document)
	if err != nil {
		return 0, nil, err
	}
	now := k.Now().Unix()
	object, err := k.change(x, false, func(object *store.Object) error {
		before, err := policyOf(object)
		if err != nil {
			return err
		}
		policy.Attributes.Created, policy.Attributes.Updated = before.Attributes.Created, now
		if policy.Attributes.Created == 0 {
			policy.Attributes.Created = now
		}
		object.Detail, err = json.Marshal(policy)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return k.answerPolicy(x, object)
}

func (k keys) answerPolicy(x *exchange, object *store.Object) (int, any, error) {
	policy, err := policyOf(object)
	if err != nil {
		return 0, nil, err
	}
	policy.ID = x.vault.url(k.plural, object.Name) + "/rotationpolicy"
	return http.StatusOK, policy, nil
}

func policyOf(object *store.Object) (*rotation.Policy, error) {
	if object.Detail == nil {
		return rotation.Default(), nil
	}
	var policy rotation.Policy
	if err := json.Unmarshal(object.Detail, &policy); err != nil {
		return nil, fmt.Errorf("parse the rotation policy of a key: %w", err)
	}
	return &policy, nil
}

// keyIsDue reports whether the policy of a key has it rotated by now.
func keyIsDue(object *store.Object, now time.Time) (bool, error) {
	policy, err := policyOf(object)
	if err != nil {
		return false, err
	}
	current := object.Current()
	at, ever := policy.Due(rotation.Rotate, time.Unix(current.Created, 0), timeOf(current.Expires))
	return ever && !now.Before(at), nil
}

// next returns the version that follows the current one, for the Rotator.
func (k keys) next(ctx context.Context, one store.Located) (*store.Version, []byte, error) {
	return k.successor(ctx, one.Object)
}

func timeOf(seconds *int64) *time.Time {
	if seconds == nil {
		return nil
	}
	return new(time.Unix(*seconds, 0))
}

// expireBy sets when a version expires, if the policy of its key says so.
func expireBy(policy *rotation.Policy, version *store.Version) {
	version.Expires = nil
	if end, ends := policy.Expiry(time.Unix(version.Created, 0)); ends {
		version.Expires = new(end.Unix())
	}
}
