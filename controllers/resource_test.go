package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/install"
)

// An EndpointSlice has no room for more: the youngest vault has no host name and says so, until an older one goes.
func TestOneVaultTooManyHasNoHostName(t *testing.T) {
	t.Parallel()
	service := func(name string) client.Object {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "imds", Name: name}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.8"}}
	}
	// The youngest comes first by name. A namesake takes no room.
	youngest, oldest := vault("shop", "a-new-one", 1), vault("shop", "vault-0000", maxEndpoints+9)
	objects := []client.Object{service("vault"), service("kube-imds-keyvault"), youngest, oldest, vault("den", "vault-0000", 5)}
	for n := 1; n < maxEndpoints; n++ {
		objects = append(objects, vault("shop", fmt.Sprintf("vault-%04d", n), 10+n))
	}
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...).WithStatusSubresource(&v1alpha1.KeyVault{})
	for field, values := range azurehost.Indexes {
		builder.WithIndex(&v1alpha1.KeyVault{}, field, values)
	}
	api, names := builder.Build(), install.Names{Name: "kube-imds", Namespace: "imds"}
	r := &ResourceReconciler{Client: api, Events: events.NewFakeRecorder(9), Names: names, Hosts: PublicHosts{Kind: azurehost.KeyVaults}, serving: servingVaults}
	r.names = &hostNames{
		client: api, live: api, names: names, kind: azurehost.KeyVaults, services: servingVaults.services, all: r.allNames, now: time.Now,
	}
	reconcile := func(of *v1alpha1.KeyVault) ctrl.Result {
		t.Helper()
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(of)})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	check := func(of *v1alpha1.KeyVault, status metav1.ConditionStatus, reason string) {
		t.Helper()
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(of), of); err != nil {
			t.Fatal(err)
		}
		ready := apimeta.FindStatusCondition(of.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != status || ready.Reason != reason || (of.Status.URI != "") != (status == metav1.ConditionTrue) {
			t.Errorf("%s is ready: %+v, at %q", of.Name, ready, of.Status.URI)
		}
		if reason == v1alpha1.ReasonTooManyNames && !strings.Contains(ready.Message, "delete vaults") {
			t.Errorf("the message does not say what to do: %s", ready.Message)
		}
		var slice discoveryv1.EndpointSlice
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: "imds", Name: "kube-imds-vaults"}, &slice); err != nil {
			t.Fatal(err)
		}
		named := false
		for _, endpoint := range slice.Endpoints {
			named = named || *endpoint.Hostname == of.Name
		}
		if len(slice.Endpoints) != maxEndpoints || named != (status == metav1.ConditionTrue) {
			t.Errorf("%s has a host name: %t, of %d", of.Name, named, len(slice.Endpoints))
		}
	}
	if result := reconcile(youngest); result.RequeueAfter != lookAgain {
		t.Errorf("the youngest is looked at again after %s", result.RequeueAfter)
	}
	check(youngest, metav1.ConditionFalse, v1alpha1.ReasonTooManyNames)
	reconcile(oldest)
	check(oldest, metav1.ConditionTrue, v1alpha1.ReasonServed)

	gone := vault("shop", "vault-0001", 0)
	if err := api.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	reconcile(gone)
	reconcile(youngest)
	check(youngest, metav1.ConditionTrue, v1alpha1.ReasonServed)
}
