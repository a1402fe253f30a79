package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SigningKey is the public half of a key with which one node's issuer signs tokens. Issuers register them, the
// controller publishes them in the JWKS; the private half never leaves its issuer's memory.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=sk,categories=kube-imds
// +kubebuilder:selectablefield:JSONPath=`.spec.nodeName`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.nodeName`
// +kubebuilder:printcolumn:name="Published",type=string,JSONPath=`.status.conditions[?(@.type=="Published")].status`
// +kubebuilder:printcolumn:name="Not After",type=string,JSONPath=`.spec.notAfter`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.keyID",message="metadata.name must be spec.keyID"
type SigningKey struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the key. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a signing key cannot be changed: register another"
	Spec SigningKeySpec `json:"spec"`

	// status is whether the key is published.
	// +optional
	Status SigningKeyStatus `json:"status,omitzero"`
}

// SigningKeySpec is a public key, its node and its validity.
//
// +kubebuilder:validation:XValidation:rule="self.notBefore < self.notAfter",message="notAfter must be later than notBefore"
type SigningKeySpec struct {
	// nodeName is the node whose issuer holds the private key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	NodeName string `json:"nodeName"`

	// nodeUID is the UID of that Node: keys of a node that was deleted and joined again do not come back.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	NodeUID string `json:"nodeUID"`

	// keyID is the key's ID (kid) in tokens and in the JWKS: 40 hexadecimal digits of its RFC 7638 thumbprint.
	// +required
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{40}$`
	KeyID string `json:"keyID"`

	// publicKey is the public key.
	// +required
	PublicKey PublicJWK `json:"publicKey"`

	// notBefore is when the key was made.
	// +required
	NotBefore metav1.Time `json:"notBefore"`

	// notAfter is when the key leaves the JWKS. No token signed with it is valid longer.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
}

// PublicJWK is the public half of an RSA key as a JSON Web Key (RFC 7517, RFC 7518 section 6.3.1).
type PublicJWK struct {
	// kty is the key type.
	// +required
	// +kubebuilder:validation:Enum=RSA
	KeyType string `json:"kty"`

	// n is the modulus, of 2048 to 4096 bits, in base64url.
	// +required
	// +kubebuilder:validation:MinLength=342
	// +kubebuilder:validation:MaxLength=684
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Modulus string `json:"n"`

	// e is the public exponent in base64url.
	// +required
	// +kubebuilder:validation:Enum=AQAB
	Exponent string `json:"e"`
}

// SigningKeyStatus is whether the key is published.
type SigningKeyStatus struct {
	// conditions say whether the key is Published.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SigningKeyList is a list of SigningKeys.
//
// +kubebuilder:object:root=true
type SigningKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SigningKey `json:"items"`
}
