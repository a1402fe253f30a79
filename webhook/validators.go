package webhook

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// identityValidator rejects invalid selectors, which the CRD's own rules cannot.
type identityValidator struct{}

// ValidateCreate validates a new identity.
func (v identityValidator) ValidateCreate(_ context.Context, identity *v1alpha1.ManagedIdentity) (admission.Warnings, error) {
	if err := grant.CheckAdmissions(identity); err != nil {
		return nil, err
	}
	if len(identity.Spec.AssumableBy) == 0 {
		return admission.Warnings{"spec.assumableBy is empty: no pod can assume this identity yet"}, nil
	}
	return nil, nil
}

// ValidateUpdate validates a changed identity like a new one.
func (v identityValidator) ValidateUpdate(ctx context.Context, _, identity *v1alpha1.ManagedIdentity) (admission.Warnings, error) {
	return v.ValidateCreate(ctx, identity)
}

// ValidateDelete allows every deletion.
func (v identityValidator) ValidateDelete(context.Context, *v1alpha1.ManagedIdentity) (admission.Warnings, error) {
	return nil, nil
}

// bindingValidator warns about identities that do not exist. They may be created later, so it rejects nothing.
type bindingValidator struct{ reader client.Reader }

// ValidateCreate validates a new binding.
func (v bindingValidator) ValidateCreate(ctx context.Context, binding *v1alpha1.IdentityBinding) (admission.Warnings, error) {
	var warnings admission.Warnings
	for _, name := range binding.Spec.Identities {
		err := v.reader.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ManagedIdentity{}, onlyRead)
		if err != nil && client.IgnoreNotFound(err) == nil {
			warnings = append(warnings, fmt.Sprintf("ManagedIdentity %q does not exist yet", name))
		}
	}
	return warnings, nil
}

// ValidateUpdate validates a changed binding like a new one.
func (v bindingValidator) ValidateUpdate(ctx context.Context, _, binding *v1alpha1.IdentityBinding) (admission.Warnings, error) {
	return v.ValidateCreate(ctx, binding)
}

// ValidateDelete allows every deletion.
func (v bindingValidator) ValidateDelete(context.Context, *v1alpha1.IdentityBinding) (admission.Warnings, error) {
	return nil, nil
}
