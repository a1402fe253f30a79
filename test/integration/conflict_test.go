package integration

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// These tests are not parallel: the namespaces of other tests make the reconciler look at every identity, which
// would hide that it misses changes.
//
// Identities of the same second are ordered by name, so the names are in the order of creation.

func TestYoungerIdentityWithTheSameIDIsNotReady(t *testing.T) {
	needController(t)
	const id = "0c7a3c5e-0000-4000-8000-000000000002"
	older := createIdentity(t, build.NewIdentity("twin-a").WithClientID(id))
	awaitReady(t, older, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	younger := createIdentity(t, build.NewIdentity("twin-b").WithClientID(id))

	waiting := awaitReady(t, younger, metav1.ConditionFalse, v1alpha1.ReasonIDsConflict)
	if !strings.Contains(waiting.Message, `"twin-a"`) {
		t.Errorf("message does not name the other: %s", waiting.Message)
	}
	if younger.Status.ClientID != "" {
		t.Error("the younger has IDs")
	}
	awaitEvent(t, younger, corev1.EventTypeWarning, v1alpha1.ReasonIDsConflict)

	remove(t, older)
	awaitReady(t, younger, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	if younger.Status.ClientID != id {
		t.Errorf("client ID of the younger = %q", younger.Status.ClientID)
	}
}

func TestYoungerBecomesReadyWhenTheOlderGetsAnotherID(t *testing.T) {
	needController(t)
	const id = "0c7a3c5e-0000-4000-8000-000000000003"
	older := createIdentity(t, build.NewIdentity("moves-a").WithClientID(id))
	younger := createIdentity(t, build.NewIdentity("moves-b").WithClientID(id))
	awaitReady(t, younger, metav1.ConditionFalse, v1alpha1.ReasonIDsConflict)

	change(t, older, func(identity *v1alpha1.ManagedIdentity) {
		identity.Spec.ClientID = "0c7a3c5e-0000-4000-8000-000000000004"
	})
	awaitReady(t, younger, metav1.ConditionTrue, v1alpha1.ReasonResolved)
}

// Two identities must never have the same ID, even when the older one takes it from the younger.
func TestYoungerLosesItsIDToTheOlder(t *testing.T) {
	needController(t)
	const id = "0c7a3c5e-0000-4000-8000-000000000005"
	older := createIdentity(t, build.NewIdentity("takes-a"))
	younger := createIdentity(t, build.NewIdentity("takes-b").WithClientID(id))
	awaitReady(t, older, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	awaitReady(t, younger, metav1.ConditionTrue, v1alpha1.ReasonResolved)

	change(t, older, func(identity *v1alpha1.ManagedIdentity) { identity.Spec.ClientID = id })
	awaitReady(t, younger, metav1.ConditionFalse, v1alpha1.ReasonIDsConflict)
	awaitReady(t, older, metav1.ConditionTrue, v1alpha1.ReasonResolved)
}
