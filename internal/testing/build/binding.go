package build

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Binding builds an IdentityBinding.
type Binding struct{ *v1alpha1.IdentityBinding }

// NewBinding returns an empty binding.
func NewBinding(namespace, name string) Binding {
	return Binding{&v1alpha1.IdentityBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}}
}

// Of sets the ServiceAccounts.
func (b Binding) Of(accounts ...string) Binding {
	b.Spec.ServiceAccounts = accounts
	return b
}

// To sets the identities.
func (b Binding) To(identities ...string) Binding {
	b.Spec.Identities = identities
	return b
}

// WithDefault sets the default.
func (b Binding) WithDefault(identity string) Binding {
	b.Spec.DefaultIdentity = identity
	return b
}

// BeingDeleted marks the binding as deleted and waiting for a finalizer.
func (b Binding) BeingDeleted() Binding {
	b.DeletionTimestamp = deletion()
	b.Finalizers = []string{"test.kube-imds.io/waits"}
	return b
}
