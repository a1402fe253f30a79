package grant

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// identity builds a ManagedIdentity.
type identity struct{ *v1alpha1.ManagedIdentity }

// newIdentity is ready and admits nobody. Its IDs are made of its name.
func newIdentity(name string) identity {
	return identity{&v1alpha1.ManagedIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: v1alpha1.ManagedIdentityStatus{
			ClientID: v1alpha1.GUID("client-" + name), PrincipalID: v1alpha1.GUID("principal-" + name), ResourceID: "/resource/" + name,
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
		},
	}}
}

func (i identity) admitting(namespace string, accounts ...string) identity {
	i.Spec.AssumableBy = append(i.Spec.AssumableBy, v1alpha1.Admission{Namespaces: []string{namespace}, ServiceAccounts: accounts})
	return i
}

func (i identity) admittingSelected(selector metav1.LabelSelector, accounts ...string) identity {
	i.Spec.AssumableBy = append(i.Spec.AssumableBy, v1alpha1.Admission{NamespaceSelector: &selector, ServiceAccounts: accounts})
	return i
}

func (i identity) systemAssigned() identity {
	i.Spec.Type = v1alpha1.SystemAssigned
	return i
}

func (i identity) notReady(message string) identity {
	i.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: message}}
	return i
}

func (i identity) unresolved() identity {
	i.Status = v1alpha1.ManagedIdentityStatus{}
	return i
}

func (i identity) beingDeleted() identity {
	now := metav1.NewTime(time.Unix(1, 0))
	i.DeletionTimestamp = &now
	return i
}

// lookup finds identities among these.
func lookup(all ...identity) Identities {
	return func(name string) *v1alpha1.ManagedIdentity {
		for _, one := range all {
			if one.Name == name {
				return one.ManagedIdentity
			}
		}
		return nil
	}
}

// binding builds an IdentityBinding of the namespace shop.
type binding struct{ v1alpha1.IdentityBinding }

func newBinding(name, account string, identities ...string) binding {
	return binding{v1alpha1.IdentityBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
		Spec:       v1alpha1.IdentityBindingSpec{ServiceAccounts: []string{account}, Identities: identities},
	}}
}

func (b binding) withDefault(name string) binding {
	b.Spec.DefaultIdentity = name
	return b
}

func (b binding) inNamespace(name string) binding {
	b.Namespace = name
	return b
}

func bindings(all ...binding) []v1alpha1.IdentityBinding {
	var list []v1alpha1.IdentityBinding
	for _, one := range all {
		list = append(list, one.IdentityBinding)
	}
	return list
}

// cashier is the principal of most tests: the ServiceAccount cashier of the namespace shop.
func cashier() Principal {
	return Principal{Namespace: "shop", NamespaceLabels: map[string]string{"team": "retail"}, ServiceAccount: "cashier"}
}

func (p Principal) asking(value string) Principal {
	p.PodAnnotations = map[string]string{v1alpha1.IdentityAnnotation: value}
	return p
}

func (p Principal) whoseAccountAsks(value string) Principal {
	p.ServiceAccountAnnotations = map[string]string{v1alpha1.IdentityAnnotation: value}
	return p
}
