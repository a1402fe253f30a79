package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RoleAssignment gives a principal a role at a resource of its namespace: one of Azure's built-in roles at a vault or a storage account, an app role
// at an API behind the gate. A valid token alone opens nothing.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ra,categories=kube-imds
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Identity",type=string,JSONPath=`.spec.principal.identity`
// +kubebuilder:printcolumn:name="Object ID",type=string,JSONPath=`.spec.principal.objectID`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Key Vault",type=string,JSONPath=`.spec.scope.keyVault`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.spec.scope.secret`
// +kubebuilder:printcolumn:name="Key",type=string,priority=1,JSONPath=`.spec.scope.key`
// +kubebuilder:printcolumn:name="Certificate",type=string,priority=1,JSONPath=`.spec.scope.certificate`
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.spec.scope.storageAccount`
// +kubebuilder:printcolumn:name="API",type=string,JSONPath=`.spec.scope.api`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RoleAssignment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says who may do what, and where.
	// +required
	Spec RoleAssignmentSpec `json:"spec"`

	// status says whether the assignment takes effect.
	// +optional
	Status RoleAssignmentStatus `json:"status,omitzero"`
}

// RoleAssignmentStatus says whether the assignment takes effect.
type RoleAssignmentStatus struct {
	// principalID is the object ID of the principal, while the assignment is Ready. Gates before APIs take it from here, so that they need no
	// right to read identities.
	// +optional
	PrincipalID GUID `json:"principalID,omitempty"`

	// conditions say whether the assignment is Ready, and if not, why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RoleAssignmentSpec says who may do what, and where.
//
// +kubebuilder:validation:XValidation:rule="has(self.scope.api) || self.role in ['Key Vault Administrator', 'Key Vault Secrets Officer', 'Key Vault Secrets User', 'Key Vault Certificates Officer', 'Key Vault Certificate User', 'Key Vault Crypto Officer', 'Key Vault Crypto User', 'Key Vault Reader', 'Storage Blob Data Owner', 'Storage Blob Data Contributor', 'Storage Blob Data Reader', 'Storage Queue Data Contributor', 'Storage Queue Data Reader', 'Storage Queue Data Message Processor', 'Storage Queue Data Message Sender', 'Storage Table Data Contributor', 'Storage Table Data Reader']",message="role: a keyVault or a storageAccount has Azure's built-in roles, by their names there: Key Vault Administrator, Key Vault Secrets Officer, Key Vault Secrets User, Key Vault Certificates Officer, Key Vault Certificate User, Key Vault Crypto Officer, Key Vault Crypto User, Key Vault Reader, Storage Blob Data Owner, Storage Blob Data Contributor, Storage Blob Data Reader, Storage Queue Data Contributor, Storage Queue Data Reader, Storage Queue Data Message Processor, Storage Queue Data Message Sender, Storage Table Data Contributor, Storage Table Data Reader"
// +kubebuilder:validation:XValidation:rule="!has(self.scope.api) || !self.role.contains(' ')",message="role: an api has app roles, such as Orders.Read, by the names in its OpenAPI document, which have no spaces"
// +kubebuilder:validation:XValidation:rule="has(self.scope.api) || self.role.startsWith('Storage ') == has(self.scope.storageAccount)",message="a role of Storage is for a storageAccount, and one of Key Vault for a keyVault"
type RoleAssignmentSpec struct {
	// principal is who gets the role.
	// +required
	Principal AssignedPrincipal `json:"principal"`

	// role is what the principal may do: at a vault or a storage account one of Azure's built-in roles, by its name there, at an API one of the
	// app roles that its OpenAPI document names, such as Orders.Read.
	// +required
	Role RoleName `json:"role"`

	// scope is where the principal has the role.
	// +required
	Scope AssignmentScope `json:"scope"`
}

// AssignedPrincipal is a managed identity or any other principal.
//
// +kubebuilder:validation:XValidation:rule="has(self.identity) != has(self.objectID)",message="name the principal with exactly one of identity and objectID"
type AssignedPrincipal struct {
	// identity is the name of a ManagedIdentity.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Identity string `json:"identity,omitempty"`

	// objectID is the object ID of a principal.
	// +optional
	ObjectID GUID `json:"objectID,omitempty"`
}

// AssignmentScope is a resource, or one object in it.
//
// +kubebuilder:validation:XValidation:rule="[has(self.secret), has(self.key), has(self.certificate)].filter(x, x).size() <= 1",message="scope: name at most one of secret, key and certificate"
// +kubebuilder:validation:XValidation:rule="[has(self.keyVault), has(self.storageAccount), has(self.api)].filter(one, one).size() == 1",message="name the resource with exactly one of keyVault, storageAccount and api"
// +kubebuilder:validation:XValidation:rule="has(self.keyVault) || !has(self.secret) && !has(self.key) && !has(self.certificate)",message="secrets, keys and certificates are in a keyVault"
// +kubebuilder:validation:XValidation:rule="[has(self.container), has(self.queue), has(self.table)].filter(one, one).size() <= (has(self.storageAccount) ? 1 : 0)",message="at most one of container, queue and table, in a storageAccount"
type AssignmentScope struct {
	// keyVault is the name of a KeyVault of this namespace.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=24
	KeyVault string `json:"keyVault,omitempty"`

	// secret is the name of a secret in the vault; without an object the role is for the whole vault.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:Pattern=`^[0-9a-zA-Z-]+$`
	Secret string `json:"secret,omitempty"`

	// key is the name of a key in the vault.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:Pattern=`^[0-9a-zA-Z-]+$`
	Key string `json:"key,omitempty"`

	// certificate is the name of a certificate in the vault.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:Pattern=`^[0-9a-zA-Z-]+$`
	Certificate string `json:"certificate,omitempty"`

	// storageAccount is the name of a StorageAccount of this namespace; without container, queue or table the role is for the whole account.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=24
	StorageAccount string `json:"storageAccount,omitempty"`

	// container is the name of a blob container in the account.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^(\$root|\$web|\$logs|[a-z0-9](-?[a-z0-9]){2,62})$`
	Container string `json:"container,omitempty"`

	// queue is the name of a queue in the account.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9](-?[a-z0-9]){2,62}$`
	Queue string `json:"queue,omitempty"`

	// table is the name of a table in the account.
	// +optional
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9]{2,62}$`
	Table string `json:"table,omitempty"`

	// api is the name that a gate before an API in this namespace was started with.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	API string `json:"api,omitempty"`
}

// RoleName is the name of a built-in role of Azure, or of an app role.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=120
// +kubebuilder:validation:Pattern=`^[ -~]+$`
type RoleName string

// The built-in roles.
const (
	KeyVaultAdministrator       RoleName = "Key Vault Administrator"
	KeyVaultSecretsOfficer      RoleName = "Key Vault Secrets Officer"
	KeyVaultSecretsUser         RoleName = "Key Vault Secrets User"
	KeyVaultCertificatesOfficer RoleName = "Key Vault Certificates Officer"
	KeyVaultCertificateUser     RoleName = "Key Vault Certificate User"
	KeyVaultCryptoOfficer       RoleName = "Key Vault Crypto Officer"
	KeyVaultCryptoUser          RoleName = "Key Vault Crypto User"
	KeyVaultReader              RoleName = "Key Vault Reader"

	StorageBlobDataOwner             RoleName = "Storage Blob Data Owner"
	StorageBlobDataContributor       RoleName = "Storage Blob Data Contributor"
	StorageBlobDataReader            RoleName = "Storage Blob Data Reader"
	StorageQueueDataContributor      RoleName = "Storage Queue Data Contributor"
	StorageQueueDataReader           RoleName = "Storage Queue Data Reader"
	StorageQueueDataMessageProcessor RoleName = "Storage Queue Data Message Processor"
	StorageQueueDataMessageSender    RoleName = "Storage Queue Data Message Sender"
	StorageTableDataContributor      RoleName = "Storage Table Data Contributor"
	StorageTableDataReader           RoleName = "Storage Table Data Reader"
)

// RoleAssignmentList is a list of RoleAssignments.
//
// +kubebuilder:object:root=true
type RoleAssignmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RoleAssignment `json:"items"`
}
