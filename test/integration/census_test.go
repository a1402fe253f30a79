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

// These tests are not parallel: the namespaces of other tests make the reconciler look at every identity, which
// would hide that it misses changes.

func TestCountFollowsServiceAccounts(t *testing.T) {
	needController(t)
	space := createNamespace(t).Name
	identity := createIdentity(t, build.NewIdentity("counted-accounts").Admitting(space, "first", "second"))
	awaitCount(t, identity, 0)

	createAccount(t, space, "first", "counted-accounts")
	second := createAccount(t, space, "second", "other, counted-accounts")
	createAccount(t, space, "not-admitted", "counted-accounts")
	createAccount(t, createNamespace(t).Name, "first", "counted-accounts")
	awaitCount(t, identity, 2)

	change(t, second, func(account *corev1.ServiceAccount) { account.Annotations = nil })
	awaitCount(t, identity, 1)
	change(t, identity, func(identity *v1alpha1.ManagedIdentity) {
		identity.Spec.AssumableBy[0].ServiceAccounts = []string{"*"}
	})
	awaitCount(t, identity, 2)
	remove(t, &corev1.ServiceAccount{ObjectMeta: second.ObjectMeta})
	change(t, identity, func(identity *v1alpha1.ManagedIdentity) { identity.Spec.AssumableBy = nil })
	awaitCount(t, identity, 0)
}

func TestCountFollowsBindings(t *testing.T) {
	needController(t)
	space := createNamespace(t).Name
	first := createAccount(t, space, "first", "")
	createAccount(t, space, "second", "")
	createAccount(t, space, "asks-for-another", "another")
	identity := createIdentity(t, build.NewIdentity("counted-bindings").Admitting(space, "*"))
	awaitCount(t, identity, 0)

	binding := createBinding(t, space, "first", "another", "counted-bindings")
	awaitCount(t, identity, 1)
	change(t, binding, func(binding *v1alpha1.IdentityBinding) { binding.Spec.ServiceAccounts = []string{"*"} })
	awaitCount(t, identity, 2)
	remove(t, first)
	awaitCount(t, identity, 1)
	createAccount(t, space, "third", "")
	awaitCount(t, identity, 2)
	change(t, binding, func(binding *v1alpha1.IdentityBinding) { binding.Spec.Identities = []string{"another"} })
	awaitCount(t, identity, 0)
	change(t, binding, func(binding *v1alpha1.IdentityBinding) { binding.Spec.Identities = []string{"counted-bindings"} })
	awaitCount(t, identity, 2)
	remove(t, binding)
	awaitCount(t, identity, 0)
}

// An identity of Entra ID needs no federation issuer if the assertions are tokens of ServiceAccounts, but a credential for each.
func TestServiceAccountsWithClientID(t *testing.T) {
	needController(t)
	const clientID = "5f0d1d8c-0000-4000-8000-0000000000c1"
	space := createNamespace(t).Name
	first := createAccount(t, space, "first", "")
	second := createAccount(t, space, "second", "")
	identity := build.NewIdentity("counted-client-ids").Admitting(space, "*").WithClientID(clientID)
	identity.Spec.TokenSource, identity.Spec.TenantID = v1alpha1.TokenSourceEntra, "72f988bf-86f1-41af-91ab-2d7cd011db47"
	identity.Spec.Entra = &v1alpha1.EntraSettings{Assertion: v1alpha1.AssertionServiceAccount}
	counted := createIdentity(t, identity)
	awaitCount(t, counted, 0)
	if _, failure := kubectlIMDS(t, "", "federation", "credential", counted.Name); !strings.Contains(failure, "granted to no ServiceAccount yet") {
		t.Errorf("without ServiceAccounts: %s", failure)
	}
	annotate := func(account *corev1.ServiceAccount, value string) {
		change(t, account, func(account *corev1.ServiceAccount) {
			account.Annotations = map[string]string{workloadidentity.ClientIDAnnotation: value}
		})
	}
	annotate(first, clientID)
	awaitCount(t, counted, 1)
	annotate(second, strings.ToUpper(clientID))
	awaitCount(t, counted, 2)
	awaitReady(t, counted, metav1.ConditionUnknown, v1alpha1.ReasonNotTried)

	output, failure := kubectlIMDS(t, "", "federation", "credential", counted.Name, "-o", "terraform")
	for _, account := range []string{"first", "second"} {
		if want := "system:serviceaccount:" + space + ":" + account; !strings.Contains(output, want) {
			t.Errorf("%s is missing: %s%s", want, output, failure)
		}
	}
	if !strings.Contains(output, `issuer    = "https://`) || strings.Count(output, "resource ") != 2 {
		t.Errorf("got %s", output)
	}
	annotate(second, "5f0d1d8c-0000-4000-8000-0000000000ff")
	awaitCount(t, counted, 1)
}

func TestCountFollowsLabelsOfNamespaces(t *testing.T) {
	needController(t)
	space := createNamespace(t)
	createAccount(t, space.Name, "first", "counted-labels")
	identity := createIdentity(t, build.NewIdentity("counted-labels").AdmittingSelected(labelled("counted", "yes"), "*"))
	awaitCount(t, identity, 0)

	change(t, space, func(space *corev1.Namespace) { space.Labels["counted"] = "yes" })
	awaitCount(t, identity, 1)
	change(t, space, func(space *corev1.Namespace) { space.Labels["counted"] = "no" })
	awaitCount(t, identity, 0)
}

func awaitCount(t *testing.T, identity *v1alpha1.ManagedIdentity, want int32) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(identity), identity); err != nil {
			return err.Error()
		}
		if got := identity.Status.BoundServiceAccounts; got == nil || *got != want {
			return fmt.Sprintf("%s counts %v ServiceAccounts, want %d", identity.Name, got, want)
		}
		return ""
	})
}
