package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IdentityBinding maps ServiceAccounts of its namespace to managed identities. It takes effect only where the
// identity admits the ServiceAccount.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=idb,categories=kube-imds
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Service Accounts",type=string,JSONPath=`.spec.serviceAccounts`
// +kubebuilder:printcolumn:name="Identities",type=string,JSONPath=`.spec.identities`
// +kubebuilder:printcolumn:name="Uninjected",type=integer,JSONPath=`.status.uninjectedPods`
// +kubebuilder:printcolumn:name="Default",type=string,priority=1,JSONPath=`.spec.defaultIdentity`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IdentityBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec maps ServiceAccounts to identities.
	// +required
	Spec IdentityBindingSpec `json:"spec"`

	// status says whether the binding takes effect.
	// +optional
	Status IdentityBindingStatus `json:"status,omitzero"`
}

// IdentityBindingSpec maps ServiceAccounts to identities.
//
// +kubebuilder:validation:XValidation:rule="!has(self.defaultIdentity) || self.defaultIdentity in self.identities",message="defaultIdentity must be one of identities"
type IdentityBindingSpec struct {
	// serviceAccounts are the names of the mapped ServiceAccounts of this namespace; "*" maps all of them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*|[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$`
	ServiceAccounts []string `json:"serviceAccounts"`

	// identities are the names of the ManagedIdentities for those ServiceAccounts.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Identities []string `json:"identities"`

	// defaultIdentity is the identity of requests that select none. It may be omitted if there is only one identity.
	// With several identities and no default such requests are refused, as in Azure.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DefaultIdentity string `json:"defaultIdentity,omitempty"`
}

// IdentityBindingStatus says whether the binding takes effect.
type IdentityBindingStatus struct {
	// uninjectedPods is the number of running pods of the binding's ServiceAccounts that have no IMDS, and so no tokens, although they do
	// not decline it. It is counted again every few minutes.
	// +optional
	UninjectedPods *int32 `json:"uninjectedPods,omitempty"`

	// conditions say whether the binding is Ready, and if not, why. PodsInjected says whether its pods have IMDS.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// IdentityBindingList is a list of IdentityBindings.
//
// +kubebuilder:object:root=true
type IdentityBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IdentityBinding `json:"items"`
}
