package build

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Identity builds a ManagedIdentity.
type Identity struct{ *v1alpha1.ManagedIdentity }

// NewIdentity returns an identity without status that admits no pod.
func NewIdentity(name string) Identity {
	return Identity{&v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}}
}

// Admitting adds ServiceAccounts of a namespace.
func (i Identity) Admitting(namespace string, accounts ...string) Identity {
	return i.admitting(v1alpha1.Admission{Namespaces: []string{namespace}, ServiceAccounts: accounts})
}

// AdmittingSelected adds ServiceAccounts of selected namespaces.
func (i Identity) AdmittingSelected(selector metav1.LabelSelector, accounts ...string) Identity {
	return i.admitting(v1alpha1.Admission{NamespaceSelector: &selector, ServiceAccounts: accounts})
}

func (i Identity) admitting(admission v1alpha1.Admission) Identity {
	i.Spec.AssumableBy = append(i.Spec.AssumableBy, admission)
	return i
}

// WithClientID sets the client ID in the spec.
func (i Identity) WithClientID(id v1alpha1.GUID) Identity {
	i.Spec.ClientID = id
	return i
}

// SystemAssigned makes the identity system-assigned.
func (i Identity) SystemAssigned() Identity {
	i.Spec.Type = v1alpha1.SystemAssigned
	return i
}

// Ready sets IDs made of the name (client-NAME, principal-NAME, /resource/NAME) and the condition.
func (i Identity) Ready() Identity {
	i.Status.ClientID = v1alpha1.GUID("client-" + i.Name)
	i.Status.PrincipalID = v1alpha1.GUID("principal-" + i.Name)
	i.Status.ResourceID = "/resource/" + i.Name
	return i.condition(metav1.ConditionTrue, "")
}

// Local makes the cluster issue the identity's tokens, in a tenant.
func (i Identity) Local(tenant v1alpha1.GUID) Identity {
	i.Spec.Type, i.Spec.TokenSource, i.Status.TenantID = v1alpha1.UserAssigned, v1alpha1.TokenSourceLocal, tenant
	return i
}

// NotReady sets the condition with a message.
func (i Identity) NotReady(message string) Identity {
	return i.condition(metav1.ConditionFalse, message)
}

// NotReadyBecause sets the condition with a reason and a message.
func (i Identity) NotReadyBecause(reason, message string) Identity {
	i = i.NotReady(message)
	i.Status.Conditions[0].Reason = reason
	return i
}

func (i Identity) condition(status metav1.ConditionStatus, message string) Identity {
	i.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Message: message}}
	return i
}

// BeingDeleted marks the identity as deleted and waiting for a finalizer.
func (i Identity) BeingDeleted() Identity {
	i.DeletionTimestamp = deletion()
	i.Finalizers = []string{"test.kube-imds.io/waits"}
	return i
}

func deletion() *metav1.Time { return new(metav1.NewTime(time.Unix(1, 0))) }
