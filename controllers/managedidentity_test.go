package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// An identity whose tokens cannot be issued is not ready.
func TestIdentityOfEntraIsNotReady(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	r := &ManagedIdentityReconciler{Client: fake.NewClientBuilder().WithScheme(kinds).Build()}
	for source, want := range map[v1alpha1.TokenSource]metav1.Condition{
		v1alpha1.TokenSourceLocal: {Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved},
		v1alpha1.TokenSourceEntra: {Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTokenSource},
	} {
		identity := &v1alpha1.ManagedIdentity{
			ObjectMeta: metav1.ObjectMeta{Name: "orders", Generation: 7}, Spec: v1alpha1.ManagedIdentitySpec{TokenSource: source},
		}
		ready, err := r.resolve(t.Context(), identity)
		if err != nil {
			t.Fatal(err)
		}
		if ready.Status != want.Status || ready.Reason != want.Reason || ready.ObservedGeneration != 7 || identity.Status.ClientID == "" {
			t.Errorf("tokenSource %s: condition = %+v, client ID = %q", source, ready, identity.Status.ClientID)
		}
	}
}

func TestIsOlder(t *testing.T) {
	t.Parallel()
	made := func(name string, second int64) *v1alpha1.ManagedIdentity {
		return &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0)),
		}}
	}
	for _, test := range []struct {
		name string
		a, b *v1alpha1.ManagedIdentity
		want bool
	}{
		{"made before", made("z", 1), made("a", 2), true},
		{"made after", made("a", 2), made("z", 1), false},
		{"made in the same second, name sorts before", made("a", 1), made("z", 1), true},
		{"made in the same second, name sorts after", made("z", 1), made("a", 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := isOlder(test.a, test.b); got != test.want {
				t.Errorf("isOlder: %v, want %v", got, test.want)
			}
		})
	}
}
