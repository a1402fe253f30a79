package integration

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestBindingFollowsIdentitiesAndServiceAccounts(t *testing.T) {
	t.Parallel()
	needController(t)
	const id = "0c7a3c5e-0000-4000-8000-000000000006"
	space := createNamespace(t)
	rival := createIdentity(t, build.NewIdentity("bound-a").WithClientID(id))
	awaitReady(t, rival, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	binding := createBinding(t, space.Name, "cashier", "bound-b")
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonIdentityNotFound)
	awaitEvent(t, binding, corev1.EventTypeWarning, v1alpha1.ReasonIdentityNotFound)

	identity := createIdentity(t, build.NewIdentity("bound-b").WithClientID(id))
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonNotAdmitted)

	change(t, identity, func(identity *v1alpha1.ManagedIdentity) {
		identity.Spec.AssumableBy = build.NewIdentity("").AdmittingSelected(labelled("bound", "yes"), "*").Spec.AssumableBy
	})
	change(t, space, func(space *corev1.Namespace) { space.Labels["bound"] = "yes" })
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonIdentityNotReady)

	remove(t, rival)
	awaitReady(t, binding, metav1.ConditionTrue, v1alpha1.ReasonBound)
	awaitEvent(t, binding, corev1.EventTypeNormal, v1alpha1.ReasonBound)

	change(t, space, func(space *corev1.Namespace) { delete(space.Labels, "bound") })
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonNotAdmitted)
	change(t, space, func(space *corev1.Namespace) { space.Labels["bound"] = "yes" })
	awaitReady(t, binding, metav1.ConditionTrue, v1alpha1.ReasonBound)

	remove(t, identity)
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonIdentityNotFound)
}

// A binding of all ServiceAccounts is ready only if the identity admits all of them: admitting one of them
// is not enough.
func TestBindingOfAllNeedsAnIdentityForAll(t *testing.T) {
	t.Parallel()
	needController(t)
	space := createNamespace(t).Name
	identity := createIdentity(t, build.NewIdentity("bound-to-all").Admitting(space, "cashier"))
	binding := createBinding(t, space, "*", "bound-to-all")
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonNotAdmitted)

	change(t, identity, func(identity *v1alpha1.ManagedIdentity) {
		identity.Spec.AssumableBy[0].ServiceAccounts = []string{"*"}
	})
	awaitReady(t, binding, metav1.ConditionTrue, v1alpha1.ReasonBound)
}

func TestBindingNeedsEveryIdentity(t *testing.T) {
	t.Parallel()
	needController(t)
	space := createNamespace(t).Name
	createIdentity(t, build.NewIdentity("one-of-two").Admitting(space, "cashier"))
	binding := createBinding(t, space, "cashier", "one-of-two", "two-of-two")
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonIdentityNotFound)
	createIdentity(t, build.NewIdentity("two-of-two").Admitting(space, "cashier"))
	awaitReady(t, binding, metav1.ConditionTrue, v1alpha1.ReasonBound)
}
