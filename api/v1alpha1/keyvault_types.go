package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KeyVault is a Key Vault that this cluster serves: https://NAME.vault.NAMESPACE.svc, where NAMESPACE is the one of kube-imds. As in Azure,
// its name is unique, and RoleAssignments beside it say who may do what.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=kv,categories=kube-imds
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="URI",type=string,JSONPath=`.status.uri`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z][a-z0-9-]{1,22}[a-z0-9]$')",message="metadata.name: must have 3 to 24 letters, digits and hyphens and begin with a letter, as the name of a vault in Azure"
type KeyVault struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the vault.
	// +optional
	// +kubebuilder:default={}
	Spec KeyVaultSpec `json:"spec,omitzero"`

	// status has the vault's URI, and whether it is ready.
	// +optional
	Status KeyVaultStatus `json:"status,omitzero"`
}

// KeyVaultSpec describes a vault.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.enablePurgeProtection) || !oldSelf.enablePurgeProtection || (has(self.enablePurgeProtection) && self.enablePurgeProtection)",message="enablePurgeProtection cannot be taken back"
type KeyVaultSpec struct {
	// tenantID is the tenant whose principals may be given roles. The default is the chart's tenantID.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// softDeleteRetentionInDays is how long deleted objects can be recovered.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=7
	// +kubebuilder:validation:Maximum=90
	SoftDeleteRetentionInDays int32 `json:"softDeleteRetentionInDays,omitempty"`

	// enablePurgeProtection keeps deleted objects from being purged before that time is over. It cannot be taken back.
	// +optional
	EnablePurgeProtection bool `json:"enablePurgeProtection,omitempty"`

	// publicHosts are host names of vaults in Azure, such as orders.vault.azure.net, which pods with the annotation
	// kube-imds.io/azure-hosts find here. The chart's keyVault.publicHosts must allow them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	PublicHosts []VaultHost `json:"publicHosts,omitempty"`
}

// VaultHost is the host name of a vault in one of Azure's clouds.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)$`
type VaultHost string

// KeyVaultStatus is the observed state of a vault.
type KeyVaultStatus struct {
	// uri is where applications find the vault.
	// +optional
	URI string `json:"uri,omitempty"`

	// publicHosts are those of spec.publicHosts that the vault has.
	// +optional
	// +listType=set
	PublicHosts []VaultHost `json:"publicHosts,omitempty"`

	// conditions say whether the vault is Ready, and whether it has its PublicHosts, and if not, why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KeyVaultList is a list of KeyVaults.
//
// +kubebuilder:object:root=true
type KeyVaultList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KeyVault `json:"items"`
}
