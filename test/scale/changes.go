package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// window is how long the controller is watched after a change, and once without any.
const window = 3 * time.Second

// changed is what a change of one object cost.
type changed struct {
	what string
	usage
}

// change makes one change after the other, and returns what each cost. The first is none at all: it has what the controller uses anyhow,
// which is subtracted from the others.
func (c *controller) change(ctx context.Context, on *cluster, of population) ([]changed, error) {
	var all []changed
	for _, one := range of.changes() {
		before, err := c.used(ctx)
		if err != nil {
			return nil, err
		}
		if one.object != nil {
			if err := on.patch(ctx, one.object, one.change); err != nil {
				return nil, fmt.Errorf("change %s: %w", one.what, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(window):
		}
		if err := c.untilIdle(ctx, 0); err != nil {
			return nil, err
		}
		after, err := c.used(ctx)
		if err != nil {
			return nil, err
		}
		cost := after.minus(before)
		if len(all) > 0 {
			cost.cpu -= all[0].cpu
		}
		all = append(all, changed{one.what, cost})
	}
	return all[1:], nil
}

// single is a change of one object.
type single struct {
	what   string
	object client.Object
	change func()
}

func (p population) changes() []single {
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: p.identityName(0)}}
	binding := &v1alpha1.IdentityBinding{ObjectMeta: metav1.ObjectMeta{Namespace: p.home(0), Name: p.bindingName(0)}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.home(0), Name: p.accountName(0)}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.home(0)}}
	return []single{
		{what: "none"},
		{"a namespace's label that no selector mentions", namespace, func() { namespace.Labels["other"] = "changed" }},
		{"a ServiceAccount's annotation", account, func() { account.Annotations = nil }},
		{"a binding", binding, func() { binding.Spec.ServiceAccounts = binding.Spec.ServiceAccounts[:1] }},
		{"an identity", identity, func() { identity.Spec.AssumableBy = nil }},
		{"a namespace's label that half of its 20 identities select by", namespace, func() { namespace.Labels[teamLabel] = "changed" }},
	}
}

// patch reads an object, and writes what a function changes of it.
func (c *cluster) patch(ctx context.Context, object client.Object, change func()) error {
	if err := c.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	before, _ := object.DeepCopyObject().(client.Object)
	change()
	return c.Patch(ctx, object, client.MergeFrom(before))
}
