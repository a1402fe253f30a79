package convert

import (
	"cmp"

	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// The labels by which pods ask for their identities, and the annotations of ServiceAccounts for azure-workload-identity.
const (
	podIdentityLabel      = "aadpodidbinding"
	workloadIdentityLabel = workloadidentity.UseLabel
	clientIDAnnotation    = workloadidentity.ClientIDAnnotation
	tenantIDAnnotation    = workloadidentity.TenantIDAnnotation
)

// object has what is read of every object. Unknown fields are ignored, and the case of names makes no difference:
// aad-pod-identity before 1.6 wrote them as in ClientID.
type object struct {
	Kind     string
	Metadata struct {
		Namespace, Name, GenerateName string
		Labels, Annotations           map[string]string
	}
}

// String returns kind, namespace and name.
func (o *object) String() string {
	return o.Kind + " " + o.Metadata.Namespace + "/" + o.Metadata.Name
}

func (o *object) compare(other *object) int {
	return cmp.Or(
		cmp.Compare(o.Metadata.Namespace, other.Metadata.Namespace),
		cmp.Compare(o.Kind, other.Kind),
		cmp.Compare(o.Metadata.Name, other.Metadata.Name),
	)
}

// azureIdentity is an AzureIdentity.
type azureIdentity struct {
	object
	Spec struct {
		// Type is 0 for a user-assigned managed identity; the others are service principals.
		Type                           int
		ResourceID, ClientID, TenantID string
		ClientPassword                 struct{ Name string }
		AuxiliaryTenantIDs             []string
	}
}

// azureBinding is an AzureIdentityBinding.
type azureBinding struct {
	object
	Spec struct {
		// AzureIdentity is the name of an AzureIdentity in the same namespace.
		AzureIdentity string

		// Selector is the value of the label aadpodidbinding of pods in any namespace.
		Selector string
		Weight   int
	}
}

// account is a ServiceAccount.
type account struct{ namespace, name string }

// String returns kind, namespace and name.
func (a account) String() string { return "ServiceAccount " + a.namespace + "/" + a.name }

func (a account) compare(other account) int {
	return cmp.Or(cmp.Compare(a.namespace, other.namespace), cmp.Compare(a.name, other.name))
}

// workload is an object that has pods.
type workload struct {
	object
	labels  map[string]string
	account account
}

// podTemplate is what is read of a pod and of a pod template.
type podTemplate struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct{ ServiceAccountName, ServiceAccount string }
}

// of returns the workload whose pods are made of the template.
func (t *podTemplate) of(object object) *workload {
	name := cmp.Or(t.Spec.ServiceAccountName, t.Spec.ServiceAccount, "default")
	return &workload{object, t.Metadata.Labels, account{object.Metadata.Namespace, name}}
}
