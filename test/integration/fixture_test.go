package integration

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// createIdentity creates an identity, and deletes it when the test ends.
func createIdentity(t *testing.T, identity build.Identity) *v1alpha1.ManagedIdentity {
	t.Helper()
	return create(t, identity.ManagedIdentity)
}

// labelled selects the namespaces with a label.
func labelled(key, value string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func createBinding(t *testing.T, namespace, account string, identities ...string) *v1alpha1.IdentityBinding {
	t.Helper()
	return create(t, &v1alpha1.IdentityBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "binding-"},
		Spec:       v1alpha1.IdentityBindingSpec{ServiceAccounts: []string{account}, Identities: identities},
	})
}

// createNamespace creates a namespace for the test. No controller finishes its removal here.
func createNamespace(t *testing.T) *corev1.Namespace {
	t.Helper()
	return create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}})
}

// createAccount creates a ServiceAccount that asks for identities, if any, by annotation.
func createAccount(t *testing.T, namespace, name, asksFor string) *corev1.ServiceAccount {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if asksFor != "" {
		account.Annotations = map[string]string{v1alpha1.IdentityAnnotation: asksFor}
	}
	return create(t, account)
}

// awaitReady waits for the Ready condition of the object's current generation, and returns it.
func awaitReady(t *testing.T, object client.Object, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	return awaitCondition(t, object, v1alpha1.ConditionReady, status, reason)
}

func awaitCondition(t *testing.T, object client.Object, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var condition metav1.Condition
	eventually(t, func(ctx context.Context) string {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err.Error()
		}
		found := apimeta.FindStatusCondition(conditionsOf(object), kind)
		if found == nil {
			return fmt.Sprintf("%s has no condition %s", object.GetName(), kind)
		}
		condition = *found
		if found.Status != status || found.Reason != reason || found.ObservedGeneration != object.GetGeneration() {
			return fmt.Sprintf("%s is %s=%s, %s (%s) of generation %d, want %s, %s of generation %d", object.GetName(), kind,
				found.Status, found.Reason, found.Message, found.ObservedGeneration, status, reason, object.GetGeneration())
		}
		return ""
	})
	return condition
}

func conditionsOf(object client.Object) []metav1.Condition {
	switch object := object.(type) {
	case *v1alpha1.ManagedIdentity:
		return object.Status.Conditions
	case *v1alpha1.IdentityBinding:
		return object.Status.Conditions
	}
	return nil
}
