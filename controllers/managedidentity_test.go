package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// An identity is ready only if its tokens can be issued: what Entra ID has last answered.
func TestReadinessOfTokenSources(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	answered := func(status metav1.ConditionStatus, generation int64) *metav1.Condition {
		return &metav1.Condition{Type: v1alpha1.ConditionFederated, Status: status, ObservedGeneration: generation, Message: "Entra says so"}
	}
	for name, test := range map[string]struct {
		source    v1alpha1.TokenSource
		federated bool
		last      *metav1.Condition
		want      metav1.Condition
		kept      bool
	}{
		"local": {v1alpha1.TokenSourceLocal, false, nil,
			metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved}, false},
		"local, which was not before": {v1alpha1.TokenSourceLocal, true, answered(metav1.ConditionFalse, 7),
			metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved}, false},
		"Entra without an issuer": {v1alpha1.TokenSourceEntra, false, answered(metav1.ConditionTrue, 7),
			metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTokenSource}, true},
		"Entra, not asked yet": {v1alpha1.TokenSourceEntra, true, nil,
			metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotTried}, false},
		"Entra, not asked since a change": {v1alpha1.TokenSourceEntra, true, answered(metav1.ConditionTrue, 6),
			metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotTried}, true},
		"Entra refuses": {v1alpha1.TokenSourceEntra, true, answered(metav1.ConditionFalse, 7),
			metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotFederated, Message: "Entra says so"}, true},
		"Entra issues tokens": {v1alpha1.TokenSourceEntra, true, answered(metav1.ConditionTrue, 7),
			metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved}, true},
	} {
		r := &ManagedIdentityReconciler{Client: fake.NewClientBuilder().WithScheme(kinds).WithIndex(&v1alpha1.ManagedIdentity{}, idIndex, conflicts{}.keys).Build(), Federated: test.federated}
		identity := &v1alpha1.ManagedIdentity{
			ObjectMeta: metav1.ObjectMeta{Name: "orders", Generation: 7}, Spec: v1alpha1.ManagedIdentitySpec{TokenSource: test.source},
		}
		if test.last != nil {
			identity.Status.Conditions = []metav1.Condition{*test.last}
		}
		ready, err := r.resolve(t.Context(), identity)
		if err != nil {
			t.Fatal(err)
		}
		if ready.Status != test.want.Status || ready.Reason != test.want.Reason || ready.ObservedGeneration != 7 || identity.Status.ClientID == "" ||
			test.want.Message != "" && ready.Message != test.want.Message {
			t.Errorf("%s: condition = %+v, client ID = %q", name, ready, identity.Status.ClientID)
		}
		if kept := len(identity.Status.Conditions) > 0; kept != test.kept {
			t.Errorf("%s: conditions = %+v", name, identity.Status.Conditions)
		}
	}
}
