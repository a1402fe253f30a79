package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StorageAccount is a storage account that this cluster serves: https://NAME.blob.NAMESPACE.svc, and queue and table likewise, where NAMESPACE
// is the one of kube-imds. As in Azure, its name is unique, and RoleAssignments beside it say who may do what.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sta,categories=kube-imds
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Blob",type=string,JSONPath=`.status.blob`
// +kubebuilder:printcolumn:name="Queue",type=string,priority=1,JSONPath=`.status.queue`
// +kubebuilder:printcolumn:name="Table",type=string,priority=1,JSONPath=`.status.table`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]{3,24}$')",message="metadata.name: must have 3 to 24 lower-case letters and digits, as the name of a storage account in Azure"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.publicHosts) || self.spec.publicHosts.all(host, host.startsWith(self.metadata.name + '.'))",message="spec.publicHosts: must begin with the account's own name, as the hosts of an account in Azure"
type StorageAccount struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the account.
	// +optional
	// +kubebuilder:default={}
	Spec StorageAccountSpec `json:"spec,omitzero"`

	// status has the account's URIs, and whether it is ready.
	// +optional
	Status StorageAccountStatus `json:"status,omitzero"`
}

// StorageAccountSpec describes a storage account.
type StorageAccountSpec struct {
	// tenantID is the tenant whose principals may be given roles. The default is the chart's tenantID.
	// +optional
	TenantID GUID `json:"tenantID,omitempty"`

	// allowSharedKeyAccess admits requests that are signed with an account key, and shared access signatures that were made with one. Roles
	// do not apply to them.
	// +optional
	AllowSharedKeyAccess bool `json:"allowSharedKeyAccess,omitempty"`

	// publicHosts are host names of the account in Azure, such as orders.blob.core.windows.net, which pods with the annotation
	// kube-imds.io/azure-hosts find here. The chart's storage.publicHosts must allow them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=9
	PublicHosts []StorageHost `json:"publicHosts,omitempty"`
}

// StorageHost is the host name of a service of a storage account in one of Azure's clouds.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[a-z0-9]{3,24}\.(blob|queue|table)\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)$`
type StorageHost string

// StorageAccountStatus is the observed state of a storage account.
type StorageAccountStatus struct {
	// blob is where applications find the account's blobs.
	// +optional
	Blob string `json:"blob,omitempty"`

	// queue is where applications find the account's queues.
	// +optional
	Queue string `json:"queue,omitempty"`

	// table is where applications find the account's tables.
	// +optional
	Table string `json:"table,omitempty"`

	// publicHosts are those of spec.publicHosts that the account has.
	// +optional
	// +listType=set
	PublicHosts []StorageHost `json:"publicHosts,omitempty"`

	// conditions say whether the account is Ready, and whether it has its PublicHosts, and if not, why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// StorageAccountList is a list of StorageAccounts.
//
// +kubebuilder:object:root=true
type StorageAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []StorageAccount `json:"items"`
}
