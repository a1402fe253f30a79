package build

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Binding is an IdentityBinding in the making.
type Binding struct{ *v1alpha1.IdentityBinding }

// NewBinding is a binding that maps nobody to nothing.
func NewBinding(namespace, name string) Binding {
	return Binding{&v1alpha1.IdentityBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}}
}

// Of maps these ServiceAccounts.
func (b Binding) Of(accounts ...string) Binding {
	b.Spec.ServiceAccounts = accounts
	return b
}

// To maps them to these identities.
func (b Binding) To(identities ...string) Binding {
	b.Spec.Identities = identities
	return b
}

// WithDefault names the default.
func (b Binding) WithDefault(identity string) Binding {
	b.Spec.DefaultIdentity = identity
	return b
}

// BeingDeleted is deleted, and waits for a finalizer.
func (b Binding) BeingDeleted() Binding {
	b.DeletionTimestamp = deletion()
	b.Finalizers = []string{"test.kube-imds.io/waits"}
	return b
}
