package grant

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

const clientID = "5f0d1d8c-0000-4000-8000-0000000000a1"

// withWorkloadIdentity returns the principal of a pod for which the webhook found the identity with the client ID that its
// ServiceAccount asks for.
func (p Principal) withWorkloadIdentity(identity, clientID string) Principal {
	p.ServiceAccountAnnotations = map[string]string{workloadidentity.ClientIDAnnotation: clientID}
	if p.PodAnnotations == nil {
		p.PodAnnotations = map[string]string{}
	}
	p.PodAnnotations[v1alpha1.WorkloadIdentityAnnotation] = identity
	return p
}

func TestIdentityByClientID(t *testing.T) {
	t.Parallel()
	orders := newIdentity("orders").Admitting("shop", "cashier").WithClientID(clientID)
	stock := newIdentity("stock").Admitting("shop", "cashier")
	bound := bindings(newBinding("stock", "cashier", "stock"))
	for name, test := range map[string]struct {
		principal Principal
		bindings  []v1alpha1.IdentityBinding
		source    Source
		want      []string
		preferred string
	}{
		"alone":             {cashier().withWorkloadIdentity("orders", clientID), nil, SourceWorkloadIdentity, []string{"orders"}, "orders"},
		"in capitals":       {cashier().withWorkloadIdentity("orders", strings.ToUpper(clientID)+" "), nil, SourceWorkloadIdentity, []string{"orders"}, "orders"},
		"beside a binding":  {cashier().withWorkloadIdentity("orders", clientID), bound, SourceBinding, []string{"stock", "orders"}, "stock"},
		"asked for twice":   {cashier().asking("orders,stock").withWorkloadIdentity("orders", clientID), nil, SourcePodAnnotation, []string{"orders", "stock"}, "orders"},
		"other client ID":   {cashier().withWorkloadIdentity("stock", clientID), nil, SourceWorkloadIdentity, nil, ""},
		"no client ID":      {cashier().withWorkloadIdentity("orders", ""), nil, SourceNone, nil, ""},
		"not found by hook": {cashier().withWorkloadIdentity("", clientID), nil, SourceNone, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decide(test.principal, lookup(orders, stock), test.bindings)
			var names []string
			for _, identity := range got.Identities {
				names = append(names, identity.Name)
			}
			preferred := ""
			if got.Default != nil {
				preferred = got.Default.Name
			}
			if diff := cmp.Diff(test.want, names); diff != "" || got.Source != test.source || preferred != test.preferred {
				t.Errorf("source %q, default %q, identities (-want +got):\n%s", got.Source, preferred, diff)
			}
		})
	}
}

// The identity's administrator decides about pods that ask by client ID as about all others.
func TestIdentityByClientIDMustAdmit(t *testing.T) {
	t.Parallel()
	got := decide(cashier().withWorkloadIdentity("orders", clientID), lookup(newIdentity("orders").WithClientID(clientID)), nil)
	if len(got.Identities) != 0 || len(got.Refusals) != 1 || got.Refusals[0].Reason != ReasonNotAdmitted {
		t.Errorf("got %+v", got)
	}
}

// accounts reads ServiceAccounts only.
type accounts struct {
	Reader
	annotations map[string]string
}

func (a accounts) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: a.annotations}}, nil
}

func TestWithWorkloadIdentity(t *testing.T) {
	t.Parallel()
	find := func(_ context.Context, id string) (*v1alpha1.ManagedIdentity, error) {
		if id != clientID {
			return nil, nil
		}
		return newIdentity("orders").ManagedIdentity, nil
	}
	labelled := map[string]string{workloadidentity.UseLabel: "true"}
	for name, test := range map[string]struct {
		labels      map[string]string
		annotations map[string]string
		clientID    string
		want        string
		refused     bool
	}{
		"labelled":              {labelled, nil, clientID, "orders", false},
		"not labelled":          {nil, nil, clientID, "", false},
		"another value":         {map[string]string{workloadidentity.UseLabel: "yes"}, nil, clientID, "", false},
		"no annotation":         {labelled, nil, "", "", false},
		"no such identity":      {labelled, nil, "00000000-0000-0000-0000-000000000000", "", true},
		"forged, not labelled":  {nil, map[string]string{v1alpha1.WorkloadIdentityAnnotation: "stock"}, clientID, "", false},
		"of an earlier account": {labelled, map[string]string{v1alpha1.WorkloadIdentityAnnotation: "stock"}, clientID, "orders", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: test.labels, Annotations: test.annotations}}
			reader := accounts{annotations: map[string]string{workloadidentity.ClientIDAnnotation: test.clientID}}
			got, refusal, err := WithWorkloadIdentity(t.Context(), reader, find, pod)
			if err != nil {
				t.Fatal(err)
			}
			if found := got.Annotations[v1alpha1.WorkloadIdentityAnnotation]; found != test.want || (refusal != nil) != test.refused {
				t.Errorf("identity %q, refusal %v", found, refusal)
			}
			if _, changed := pod.Annotations[v1alpha1.WorkloadIdentityAnnotation]; changed && test.annotations == nil {
				t.Error("the pod itself is changed")
			}
		})
	}
}
