// Package v1alpha1 holds the kinds of kube-imds.io/v1alpha1: ManagedIdentity and
// IdentityBinding, and the annotations by which pods, ServiceAccounts and namespaces ask for identities.
//
// +kubebuilder:object:generate=true
// +groupName=kube-imds.io
package v1alpha1
