package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ManagedIdentity is an Azure managed identity for pods of this cluster, with the ServiceAccounts that may assume it.
// The cluster's administrator owns it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=mi,categories=kube-imds
// +kubebuilder:selectablefield:JSONPath=`.spec.clientID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.tokenSource`
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.status.clientID`
// +kubebuilder:printcolumn:name="Service Accounts",type=integer,JSONPath=`.status.boundServiceAccounts`
// +kubebuilder:printcolumn:name="Uninjected",type=integer,JSONPath=`.status.uninjectedPods`
// +kubebuilder:printcolumn:name="Federated",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Federated")].status`
// +kubebuilder:printcolumn:name="Type",type=string,priority=1,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Principal ID",type=string,priority=1,JSONPath=`.status.principalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name: must be no more than 63 characters, so that it can be named in annotations and resource IDs"
type ManagedIdentity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the identity and who may assume it.
	// +optional
	// +kubebuilder:default={}
	Spec ManagedIdentitySpec `json:"spec,omitzero"`

	// status has the identity's IDs, including generated ones, and whether it is ready.
	// +optional
	Status ManagedIdentityStatus `json:"status,omitzero"`
}

// ManagedIdentitySpec describes a managed identity and who may assume it. Omitted IDs are generated once and kept in the
// status.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tokenSource) || self.tokenSource != 'Entra' || (has(self.clientID) && has(self.tenantID))",message="tokenSource Entra needs the clientID and the tenantID of a managed identity that exists in Entra ID"
// +kubebuilder:validation:XValidation:rule="!has(self.entra) || (has(self.tokenSource) && self.tokenSource == 'Entra')",message="entra has settings for tokenSource Entra: set tokenSource to Entra or remove entra"
type ManagedIdentitySpec struct {
	// type is UserAssigned, or SystemAssigned for an identity that stands for the pod's own machine. If a pod has several
	// identities, a single SystemAssigned one is the default.
	// +optional
	// +kubebuilder:default=UserAssigned
	Type IdentityType `json:"type,omitempty"`

	// tokenSource says who issues the tokens: Local for this cluster's own issuer, or Entra for Microsoft Entra ID by workload
	// identity federation, which needs the chart's federation.issuerURL unless entra.assertion is ServiceAccount.
	// +optional
	// +kubebuilder:default=Local
	TokenSource TokenSource `json:"tokenSource,omitempty"`

	// entra has settings for the tokenSource Entra.
	// +optional
	Entra *EntraSettings `json:"entra,omitempty"`

	// tenantID is the Entra tenant's ID, a GUID. The default is the chart's tenantID.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// clientID is the identity's client (application) ID, a GUID. If omitted, one is generated.
	// +optional
	ClientID GUID `json:"clientID,omitempty"`

	// principalID is the identity's principal (object) ID, a GUID. If omitted, one is generated, but not for tokenSource Entra: there
	// it is needed only by applications that select the identity by its object ID.
	// +optional
	PrincipalID GUID `json:"principalID,omitempty"`

	// resourceID is the identity's Azure Resource Manager ID. If omitted, it is made of the chart's subscription and resource
	// group and this object's name; a SystemAssigned identity then has the ID of each pod as a machine.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^/subscriptions/[^/ ]+/.+/providers/[^/ ]+/[^/ ]+/[^ ]+$')",message="must be an Azure Resource Manager ID: /subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{name}"
	ResourceID string `json:"resourceID,omitempty"`

	// allowedResources are the resources for which tokens are issued, such as https://vault.azure.net; a trailing slash makes no
	// difference. If omitted, every resource is allowed, as in Azure: the resource decides what a token may do.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	AllowedResources []string `json:"allowedResources,omitempty"`

	// tokenLifetime is how long a token is valid: 15m to 24h. Tokens that an application holds stay valid for as long after a
	// grant is withdrawn.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('15m') && duration(self) <= duration('24h')",message="must be a duration from 15m to 24h, such as 1h"
	TokenLifetime *metav1.Duration `json:"tokenLifetime,omitempty"`

	// assumableBy lists the ServiceAccounts that may assume this identity: those that any entry admits. If omitted, no pod may.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AssumableBy []Admission `json:"assumableBy,omitempty"`
}

// EntraSettings say where an identity's tokens come from. The defaults are those of the chart's azureEnvironment.
type EntraSettings struct {
	// assertion says what proves to Entra ID that a pod may have a token. Identity: an assertion of the federation issuer with the
	// identity as its subject, so that one federated credential serves all ServiceAccounts that may assume the identity.
	// ServiceAccount: the token of the pod's own ServiceAccount, which needs a federated credential for each of them and a
	// cluster whose issuer Entra ID can reach.
	// +optional
	// +kubebuilder:default=Identity
	Assertion AssertionSource `json:"assertion,omitempty"`

	// authority is the URL of Entra ID's token endpoints, such as https://login.microsoftonline.com, without a trailing slash.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[a-zA-Z0-9.-]+(:[0-9]+)?$')",message="must be https:// and a host, without a path, such as https://login.microsoftonline.us"
	Authority string `json:"authority,omitempty"`

	// audience is the audience of the assertions, which the identity's federated credential names.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=600
	Audience string `json:"audience,omitempty"`
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

// ManagedIdentityStatus is the observed state of a managed identity.
type ManagedIdentityStatus struct {
	// tenantID is the Entra tenant's ID in the identity's tokens.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// clientID is the identity's client (application) ID.
	// +optional
	ClientID GUID `json:"clientID,omitempty"`

	// principalID is the identity's principal (object) ID; empty for an identity of Entra ID that does not name it.
	// +optional
	PrincipalID GUID `json:"principalID,omitempty"`

	// resourceID is the identity's Azure Resource Manager ID; empty if it is the ID of each pod as a machine.
	// +optional
	ResourceID string `json:"resourceID,omitempty"`

	// boundServiceAccounts is the number of ServiceAccounts that this identity is granted to, by annotation or binding.
	// +optional
	BoundServiceAccounts *int32 `json:"boundServiceAccounts,omitempty"`

	// uninjectedPods is the number of running pods of those ServiceAccounts that have no IMDS, and so no tokens, although they do not
	// decline it. It is counted again every few minutes.
	// +optional
	UninjectedPods *int32 `json:"uninjectedPods,omitempty"`

	// conditions say whether the identity is Ready, and if not, why. Federated says what Entra ID last answered, and PodsInjected whether
	// the pods of its ServiceAccounts have IMDS.
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

// AssertionSource says who is the subject of an assertion, and so who signs it.
//
// +kubebuilder:validation:Enum=Identity;ServiceAccount
type AssertionSource string

// The assertion sources.
const (
	AssertionIdentity       AssertionSource = "Identity"
	AssertionServiceAccount AssertionSource = "ServiceAccount"
)

// GUID is a globally unique identifier in lower case, such as 00000000-0000-0000-0000-000000000000.
//
// +kubebuilder:validation:MaxLength=36
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
type GUID string

// IsOlderThan orders identities by age, and those of the same second by name.
func (m *ManagedIdentity) IsOlderThan(other *ManagedIdentity) bool {
	if m.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return m.Name < other.Name
	}
	return m.CreationTimestamp.Before(&other.CreationTimestamp)
}

// ManagedIdentityList is a list of ManagedIdentities.
//
// +kubebuilder:object:root=true
type ManagedIdentityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ManagedIdentity `json:"items"`
}
