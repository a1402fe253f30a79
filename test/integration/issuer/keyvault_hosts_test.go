package issuer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
)

// A vault is served at the host of Azure that it declares, with a certificate for that name, and by no other name of Azure. It is taken
// from it when it forgoes it, and then the next one gets it.
func testPublicHosts(t *testing.T, v *vaultTest) {
	const host = "contoso-orders.vault.azure.net"
	_, err := v.client(t).SetSecret(t.Context(), "public", azsecrets.SetSecretParameters{Value: new("hello")}, nil)
	must(t, err, "set a secret")
	get := func() error {
		got, err := v.clientOf(t, "https://"+host).GetSecret(t.Context(), "public", "", nil)
		if err == nil && (*got.Value != "hello" || !strings.HasPrefix(string(*got.ID), "https://"+host+"/secrets/public/")) {
			err = fmt.Errorf("got %s of %s", *got.Value, *got.ID)
		}
		return err
	}
	if err := get(); err == nil {
		t.Fatal("the host is served before any vault declares it")
	}
	v.declare(t, v.vault, func() { v.vault.Spec.PublicHosts = []v1alpha1.VaultHost{host, "contoso.vault.azure.cn"} })
	v.awaitHosts(t, v.vault, v1alpha1.ReasonHostNotAllowed, host)
	eventually(t, "the vault is served at its public host", get)
	for _, foreign := range []string{"contoso.vault.azure.cn", "other.vault.azure.net", "vault.azure.net"} {
		if _, err := v.clientOf(t, "https://"+foreign).GetSecret(t.Context(), "public", "", nil); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: error %v", foreign, err)
		}
	}
	_, err = v.client(t).GetSecret(t.Context(), "public", "", nil)
	must(t, err, "read by the vault's own name")

	rival := &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: v.newHome(t).name, Name: "rival"}, Spec: v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{host}}}
	v.create(t, rival)
	v.awaitHosts(t, rival, v1alpha1.ReasonHostTaken)
	must(t, get(), "read from the vault that had the host before")
	v.declare(t, v.vault, func() { v.vault.Spec.PublicHosts = nil })
	v.awaitHosts(t, rival, v1alpha1.ReasonServed, host)
	v.awaitHosts(t, v.vault, "")
	eventually(t, "the next vault is served there", func() error {
		if err := get(); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})
}

// declare changes what a resource declares.
func (v *vaultTest) declare(t *testing.T, resource azurehost.Resource, change func()) {
	t.Helper()
	before, _ := resource.DeepCopyObject().(client.Object)
	change()
	must(t, v.Patch(t.Context(), resource, client.MergeFrom(before)), "declare public hosts")
}

// awaitHosts waits until a resource has these public hosts, and its condition a reason; none if it is to have no condition.
func (v *vaultTest) awaitHosts(t *testing.T, resource azurehost.Resource, reason string, hosts ...string) {
	t.Helper()
	eventually(t, "the resource has its hosts", func() error {
		if err := v.Get(t.Context(), client.ObjectKeyFromObject(resource), resource); err != nil {
			return err
		}
		condition := apimeta.FindStatusCondition(*resource.StatusConditions(), v1alpha1.ConditionPublicHosts)
		if !slices.Equal(resource.HeldHosts(), hosts) || (condition == nil) != (reason == "") || condition != nil && condition.Reason != reason {
			return fmt.Errorf("hosts = %q, conditions %+v", resource.HeldHosts(), *resource.StatusConditions())
		}
		return nil
	})
}

// Only whole names of vaults in Azure's clouds can be declared.
func testPublicHostsThatAreNone(t *testing.T, v *vaultTest) {
	for _, host := range []v1alpha1.VaultHost{
		"vault.azure.net", "*.vault.azure.net", "a.b.vault.azure.net", "ORDERS.vault.azure.net", "orders.vault.azure.net.example.com",
		"orders.example.com", "orders.vault.azure.net:443", "kube-imds-webhook.kube-imds-system.svc", "metadata.azure.com", "1orders.vault.azure.net",
		"orders-.vault.azure.net",
	} {
		vault := &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: v.home.name, Name: "wrong"}, Spec: v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{host}}}
		if err := v.Create(t.Context(), vault, client.DryRunAll); !apierrors.IsInvalid(err) {
			t.Errorf("%s: error %v", host, err)
		}
	}
}
