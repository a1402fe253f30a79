package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ManagedIdentity is an Azure managed identity as pods of this cluster see it, and says who may assume it.
// The cluster's administrator owns it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=mi,categories=kube-imds
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.tokenSource`
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.status.clientID`
// +kubebuilder:printcolumn:name="Service Accounts",type=integer,JSONPath=`.status.boundServiceAccounts`
// +kubebuilder:printcolumn:name="Type",type=string,priority=1,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Principal ID",type=string,priority=1,JSONPath=`.status.principalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name: must be no more than 63 characters, so that it can be named in annotations and resource IDs"
type ManagedIdentity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the identity is and who may assume it.
	// +optional
	// +kubebuilder:default={}
	Spec ManagedIdentitySpec `json:"spec,omitzero"`

	// status is what the controller found: the identity's IDs, those it generated among them.
	// +optional
	Status ManagedIdentityStatus `json:"status,omitzero"`
}

// ManagedIdentitySpec is what a managed identity is and who may assume it. IDs that are left out are generated
// once, and kept in the status.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tokenSource) || self.tokenSource != 'Entra' || (has(self.clientID) && has(self.tenantID))",message="tokenSource Entra needs the clientID and the tenantID of a managed identity that exists in Entra ID"
type ManagedIdentitySpec struct {
	// type is UserAssigned, or SystemAssigned for an identity that stands for the pod's own machine. A
	// SystemAssigned identity is the default where a pod has several.
	// +optional
	// +kubebuilder:default=UserAssigned
	Type IdentityType `json:"type,omitempty"`

	// tokenSource says who issues the tokens: Local, this cluster's own issuer; or Entra, Microsoft Entra ID by
	// workload identity federation, which this version does not do yet: such an identity is not Ready.
	// +optional
	// +kubebuilder:default=Local
	TokenSource TokenSource `json:"tokenSource,omitempty"`

	// tenantID is the Entra tenant's ID, a GUID. Left out, it is the chart's tenantID.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// clientID is the identity's client (application) ID, a GUID. Left out, one is generated.
	// +optional
	ClientID GUID `json:"clientID,omitempty"`

	// principalID is the identity's principal (object) ID, a GUID. Left out, one is generated.
	// +optional
	PrincipalID GUID `json:"principalID,omitempty"`

	// resourceID is the identity's Azure Resource Manager ID. Left out, one is made of the chart's subscription
	// and resource group and this object's name; a SystemAssigned identity then has the ID of each pod as a machine.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^/subscriptions/[^/ ]+/.+/providers/[^/ ]+/[^/ ]+/[^ ]+$')",message="must be an Azure Resource Manager ID: /subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{name}"
	ResourceID string `json:"resourceID,omitempty"`

	// allowedResources are the resources that tokens may be asked for, such as https://vault.azure.net; an
	// ending slash makes no difference. Left out, every resource is allowed, as in Azure: what a token may do is
	// decided where it is shown.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	AllowedResources []string `json:"allowedResources,omitempty"`

	// tokenLifetime is how long a token is valid: 15m to 24h. A withdrawn grant ends, at the latest, when the
	// last token given out for it expires.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('15m') && duration(self) <= duration('24h')",message="must be a duration from 15m to 24h, such as 1h"
	TokenLifetime *metav1.Duration `json:"tokenLifetime,omitempty"`

	// assumableBy says which ServiceAccounts may assume this identity: those that any of the entries admits.
	// Left out, nobody may.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AssumableBy []Admission `json:"assumableBy,omitempty"`
}

// Admission admits ServiceAccounts of some namespaces to an identity.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespaces) != has(self.namespaceSelector)",message="name the namespaces with exactly one of namespaces and namespaceSelector"
type Admission struct {
	// namespaces are the names of the admitted namespaces; "*" admits all of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$`
	Namespaces []string `json:"namespaces,omitempty"`

	// namespaceSelector selects the admitted namespaces by their labels. An empty one selects all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// serviceAccounts are the names of the admitted ServiceAccounts in those namespaces; "*" admits all of them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*|[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$`
	ServiceAccounts []string `json:"serviceAccounts"`
}

// ManagedIdentityStatus is what the controller found.
type ManagedIdentityStatus struct {
	// tenantID is the Entra tenant's ID in the identity's tokens.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// clientID is the identity's client (application) ID.
	// +optional
	ClientID GUID `json:"clientID,omitempty"`

	// principalID is the identity's principal (object) ID.
	// +optional
	PrincipalID GUID `json:"principalID,omitempty"`

	// resourceID is the identity's Azure Resource Manager ID; empty where it is that of each pod as a machine.
	// +optional
	ResourceID string `json:"resourceID,omitempty"`

	// boundServiceAccounts counts the ServiceAccounts that this identity is granted to, by annotation or binding.
	// +optional
	BoundServiceAccounts *int32 `json:"boundServiceAccounts,omitempty"`

	// conditions say whether the identity is Ready, and if not, why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// IdentityType is the kind of a managed identity.
//
// +kubebuilder:validation:Enum=UserAssigned;SystemAssigned
type IdentityType string

// The identity types.
const (
	UserAssigned   IdentityType = "UserAssigned"
	SystemAssigned IdentityType = "SystemAssigned"
)

// TokenSource says who issues an identity's tokens.
//
// +kubebuilder:validation:Enum=Local;Entra
type TokenSource string

// The token sources.
const (
	TokenSourceLocal TokenSource = "Local"
	TokenSourceEntra TokenSource = "Entra"
)

// GUID is a globally unique identifier in lower case, as in 00000000-0000-0000-0000-000000000000.
//
// +kubebuilder:validation:MaxLength=36
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
type GUID string

// ManagedIdentityList is a list of ManagedIdentities.
//
// +kubebuilder:object:root=true
type ManagedIdentityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ManagedIdentity `json:"items"`
}
