package controllers

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// Assignments are found by what they name: the same name of another kind or in another namespace is another one.
func TestAssignmentsAreFoundByWhatTheyName(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	assignment := func(namespace, name string, scope v1alpha1.AssignmentScope, principal v1alpha1.AssignedPrincipal) client.Object {
		return &v1alpha1.RoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.RoleAssignmentSpec{Scope: scope, Principal: principal},
		}
	}
	vault, account, api := v1alpha1.AssignmentScope{KeyVault: "orders"}, v1alpha1.AssignmentScope{StorageAccount: "orders"}, v1alpha1.AssignmentScope{API: "orders"}
	identity, group := v1alpha1.AssignedPrincipal{Identity: "orders"}, v1alpha1.AssignedPrincipal{ObjectID: "9a0c8c4c-d5cb-5dc9-a40c-37f3e01c7c4b"}
	r := &RoleAssignmentReconciler{Client: fake.NewClientBuilder().WithScheme(kinds).
		WithIndex(&v1alpha1.RoleAssignment{}, namedIndex, namedByAssignment).WithObjects(
		assignment("shop", "vault", vault, group), assignment("den", "vault", vault, identity),
		assignment("shop", "account", account, identity), assignment("shop", "api", api, group),
		assignment("shop", "other", v1alpha1.AssignmentScope{KeyVault: "other"}, v1alpha1.AssignedPrincipal{Identity: "other"}),
	).Build()}
	named := metav1.ObjectMeta{Namespace: "shop", Name: "orders"}
	for _, test := range []struct {
		found []ctrl.Request
		want  []string
	}{
		{r.at("KeyVault")(t.Context(), &v1alpha1.KeyVault{ObjectMeta: named}), []string{"shop/vault"}},
		{r.at("StorageAccount")(t.Context(), &v1alpha1.StorageAccount{ObjectMeta: named}), []string{"shop/account"}},
		{r.of(t.Context(), build.NewIdentity("orders").ManagedIdentity), []string{"den/vault", "shop/account"}},
		{r.of(t.Context(), build.NewIdentity("nobody").ManagedIdentity), nil},
	} {
		var got []string
		for _, request := range test.found {
			got = append(got, fmt.Sprint(request))
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("found %v, want %v", got, test.want)
		}
	}
}

// An update of an identity concerns its assignments only if it is another principal, or the first time that it is reconciled.
func TestAssignmentsDependOnPrincipals(t *testing.T) {
	t.Parallel()
	with := func(identity build.Identity, principal v1alpha1.GUID) *v1alpha1.ManagedIdentity {
		identity.Status.PrincipalID = principal
		return identity.ManagedIdentity
	}
	fresh, ready := build.NewIdentity("orders"), build.NewIdentity("orders").Ready()
	for name, test := range map[string]struct {
		before, after *v1alpha1.ManagedIdentity
		want          bool
	}{
		"nothing":               {with(ready, "a"), with(build.NewIdentity("orders").NotReady("because"), "a"), false},
		"another principal":     {with(ready, "a"), with(build.NewIdentity("orders").Ready(), "b"), true},
		"reconciled, with none": {with(fresh, ""), with(build.NewIdentity("orders").NotReady("because"), ""), true},
	} {
		if got := principalChanged.Update(event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}); got != test.want {
			t.Errorf("%s: passes: %t", name, got)
		}
	}
}
