package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// A binding says how many running pods it does not reach.
func TestPodsThatABindingDoesNotReach(t *testing.T) {
	t.Parallel()
	needController(t)
	space := createNamespace(t).Name
	createAccount(t, space, "cashier", "")
	createAccount(t, space, "other", "")
	createIdentity(t, build.NewIdentity("unreached").Admitting(space, "*"))
	binding := createBinding(t, space, "cashier", "unreached")
	awaitUninjected(t, binding, 0)

	pods := map[string]*corev1.Pod{}
	for name, one := range map[string]*corev1.Pod{
		"first":    podOf("cashier", nil, nil),
		"second":   podOf("cashier", nil, nil),
		"injected": podOf("cashier", map[string]string{v1alpha1.InjectedAnnotation: v1alpha1.ModeSidecar}, nil),
		"declines": podOf("cashier", map[string]string{v1alpha1.InjectAnnotation: "false"}, nil),
		"foreign":  podOf("cashier", nil, map[string]string{workloadidentity.UseLabel: "true"}),
		"other":    podOf("other", nil, nil),
		"ended":    podOf("cashier", nil, nil),
	} {
		one.Namespace, one.Name = space, name
		pods[name] = create(t, one)
	}
	pods["ended"].Status.Phase = corev1.PodSucceeded
	if err := admin.Status().Update(t.Context(), pods["ended"]); err != nil {
		t.Fatal(err)
	}
	awaitUninjected(t, binding, 2)
	condition := awaitCondition(t, binding, v1alpha1.ConditionPodsInjected, metav1.ConditionFalse, v1alpha1.ReasonNotInjected)
	for _, part := range []string{"2, of ServiceAccount " + space + "/cashier", "kubectl label --overwrite namespace " + space} {
		if !strings.Contains(condition.Message, part) {
			t.Errorf("message %q misses %q", condition.Message, part)
		}
	}
	awaitEvent(t, binding, corev1.EventTypeWarning, v1alpha1.ReasonNotInjected)

	change(t, binding, func(binding *v1alpha1.IdentityBinding) { binding.Spec.ServiceAccounts = []string{"*"} })
	awaitUninjected(t, binding, 3)
	for _, name := range []string{"first", "second", "other"} {
		remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name}})
	}
	awaitUninjected(t, binding, 0)
	awaitCondition(t, binding, v1alpha1.ConditionPodsInjected, metav1.ConditionTrue, v1alpha1.ReasonAllInjected)
	awaitEvent(t, binding, corev1.EventTypeNormal, v1alpha1.ReasonAllInjected)
}

// The identity says it of annotated ServiceAccounts, which have no status, and an event at them.
func TestPodsThatAnAnnotationDoesNotReach(t *testing.T) {
	t.Parallel()
	needController(t)
	const clientID = "5f0d1d8c-0000-4000-8000-0000000000d1"
	space := createNamespace(t).Name
	byName := createAccount(t, space, "by-name", "annotated-unreached")
	byClientID := createAccount(t, space, "by-client-id", "")
	change(t, byClientID, func(account *corev1.ServiceAccount) {
		account.Annotations = map[string]string{workloadidentity.ClientIDAnnotation: strings.ToUpper(clientID)}
	})
	createAccount(t, space, "not-admitted", "annotated-unreached")
	for _, account := range []string{"by-name", "by-client-id", "not-admitted"} {
		pod := podOf(account, nil, nil)
		pod.Namespace, pod.Name = space, account
		create(t, pod)
	}
	awaitEvent(t, byName, corev1.EventTypeWarning, v1alpha1.ReasonNotInjected)
	identity := createIdentity(t, build.NewIdentity("annotated-unreached").Admitting(space, "by-name", "by-client-id").WithClientID(clientID))
	awaitUninjected(t, identity, 2)
	condition := awaitCondition(t, identity, v1alpha1.ConditionPodsInjected, metav1.ConditionFalse, v1alpha1.ReasonNotInjected)
	if !strings.Contains(condition.Message, "and 1 more") {
		t.Errorf("message = %q", condition.Message)
	}
	awaitEvent(t, identity, corev1.EventTypeWarning, v1alpha1.ReasonNotInjected)
	awaitEvent(t, byClientID, corev1.EventTypeWarning, v1alpha1.ReasonNotInjected)

	change(t, byName, func(account *corev1.ServiceAccount) { account.Annotations = nil })
	awaitUninjected(t, identity, 1)
	remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: "by-client-id"}})
	awaitUninjected(t, identity, 0)
	awaitCondition(t, identity, v1alpha1.ConditionPodsInjected, metav1.ConditionTrue, v1alpha1.ReasonAllInjected)
}

// podOf returns a pod of a ServiceAccount, which no node runs.
func podOf(account string, annotations, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations, Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
}

// awaitUninjected waits until an object counts a number of pods without IMDS.
func awaitUninjected(t *testing.T, object client.Object, want int32) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err.Error()
		}
		var counted *int32
		switch object := object.(type) {
		case *v1alpha1.ManagedIdentity:
			counted = object.Status.UninjectedPods
		case *v1alpha1.IdentityBinding:
			counted = object.Status.UninjectedPods
		}
		if counted == nil {
			return object.GetName() + " has no number of pods without IMDS"
		}
		if *counted != want {
			return fmt.Sprintf("%s has %d pods without IMDS, want %d", object.GetName(), *counted, want)
		}
		return ""
	})
}
