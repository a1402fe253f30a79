package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// vault returns a vault that declares hosts, created some minutes ago.
func vault(namespace, name string, minutes int, hosts ...v1alpha1.VaultHost) *v1alpha1.KeyVault {
	return &v1alpha1.KeyVault{ObjectMeta: madeAgo(namespace, name, minutes), Spec: v1alpha1.KeyVaultSpec{PublicHosts: hosts}}
}

// storageAccount returns a storage account likewise.
func storageAccount(namespace, name string, minutes int, hosts ...v1alpha1.StorageHost) *v1alpha1.StorageAccount {
	return &v1alpha1.StorageAccount{ObjectMeta: madeAgo(namespace, name, minutes), Spec: v1alpha1.StorageAccountSpec{PublicHosts: hosts}}
}

func madeAgo(namespace, name string, minutes int) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name),
		CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, -minutes, 0, 0, time.UTC)),
	}
}

// having gives a resource hosts.
func having(resource azurehost.Resource, hosts ...string) azurehost.Resource {
	resource.SetHeldHosts(hosts)
	return resource
}

func TestPublicHosts(t *testing.T) {
	t.Parallel()
	const a, b = "a.vault.azure.net", "b.vault.azure.net"
	const blobs, tables = "orders.blob.core.windows.net", "orders.table.core.windows.net"
	many := []azurehost.Resource{vault("shop", "last", 1, a)}
	for n := range maxPublicHosts {
		many = append(many, vault("shop", fmt.Sprintf("vault-%d", n), 2, v1alpha1.VaultHost(fmt.Sprintf("host-%d.vault.azure.net", n))))
	}
	for name, test := range map[string]struct {
		all     []azurehost.Resource // the first one is judged
		want    []string
		reason  string
		message string
	}{
		"alone":               {[]azurehost.Resource{vault("shop", "orders", 1, a, b)}, []string{a, b}, v1alpha1.ReasonServed, ""},
		"older than a rival":  {[]azurehost.Resource{vault("shop", "orders", 2, a), vault("den", "thief", 1, a)}, []string{a}, v1alpha1.ReasonServed, ""},
		"younger than one":    {[]azurehost.Resource{vault("shop", "orders", 1, a, b), vault("den", "other", 2, a)}, []string{b}, v1alpha1.ReasonHostTaken, "a.vault.azure.net belongs to KeyVault other of namespace den"},
		"has it already":      {[]azurehost.Resource{having(vault("shop", "orders", 1, a), a), vault("den", "old", 2, a)}, []string{a}, v1alpha1.ReasonServed, ""},
		"another one has it":  {[]azurehost.Resource{vault("den", "old", 2, a), having(vault("shop", "orders", 1, a), a)}, nil, v1alpha1.ReasonHostTaken, "belongs to KeyVault orders of namespace shop"},
		"both have it":        {[]azurehost.Resource{having(vault("shop", "orders", 1, a), a), having(vault("den", "old", 2, a), a)}, nil, v1alpha1.ReasonHostTaken, "belongs to KeyVault old"},
		"another one had it":  {[]azurehost.Resource{vault("shop", "orders", 1, a), having(vault("den", "old", 2), a)}, []string{a}, v1alpha1.ReasonServed, ""},
		"has what it forgoes": {[]azurehost.Resource{having(vault("shop", "orders", 1, b), a, b)}, []string{b}, v1alpha1.ReasonServed, ""},
		"not served itself":   {[]azurehost.Resource{having(vault("shop", "orders", 1, a), a), vault("den", "orders", 2)}, nil, v1alpha1.ReasonNameTaken, "the KeyVault itself is not served"},
		"a rival not served":  {[]azurehost.Resource{vault("shop", "orders", 1, a), having(vault("den", "late", 2, a), a), vault("shop", "late", 3)}, []string{a}, v1alpha1.ReasonServed, ""},
		"not allowed":         {[]azurehost.Resource{vault("shop", "orders", 1, "a.vault.usgovcloudapi.net", a)}, []string{a}, v1alpha1.ReasonHostNotAllowed, "keyVault.publicHosts"},
		"not certified":       {[]azurehost.Resource{vault("shop", "orders", 1, "a.vault.azure.cn")}, nil, v1alpha1.ReasonHostNotCertified, "certificate authority"},
		"one too many":        {many, nil, v1alpha1.ReasonTooManyHosts, "is one too many: all vaults together may have 100"},
		"one of many":         {many[1:], []string{"host-0.vault.azure.net"}, v1alpha1.ReasonServed, ""},

		"an account": {[]azurehost.Resource{storageAccount("shop", "orders", 1, blobs, tables)}, []string{blobs, tables}, v1alpha1.ReasonServed, "the StorageAccount has"},
		"an account not served": {[]azurehost.Resource{storageAccount("shop", "orders", 1, blobs), having(storageAccount("den", "orders", 2, blobs), blobs)},
			nil, v1alpha1.ReasonNameTaken, "the StorageAccount itself is not served"},
		"an account's not allowed": {[]azurehost.Resource{storageAccount("shop", "orders", 1, "orders.queue.core.windows.net")}, nil, v1alpha1.ReasonHostNotAllowed, "storage.publicHosts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, condition := publicHostsOf(test.all[0]).judge(test.all[0], test.all)
			if diff := cmp.Diff(test.want, held); diff != "" {
				t.Error("hosts (-want +got)\n" + diff)
			}
			if condition.Reason != test.reason || (condition.Status == metav1.ConditionTrue) != (test.reason == v1alpha1.ReasonServed) || !strings.Contains(condition.Message, test.message) {
				t.Errorf("condition = %+v", condition)
			}
		})
	}
}

// publicHostsOf returns what decides about a resource's hosts.
func publicHostsOf(resource azurehost.Resource) PublicHosts {
	kind := azurehost.KeyVaults
	if _, isAccount := resource.(*v1alpha1.StorageAccount); isAccount {
		kind = azurehost.StorageAccounts
	}
	return PublicHosts{
		Kind: kind, Allowed: []string{"vault.azure.net", "vault.azure.cn", "blob.core.windows.net", "table.core.windows.net"},
		Certified: func(host string) bool { return !strings.HasSuffix(host, ".cn") },
	}
}

// What has nothing to do with a resource's hosts is not looked at.
func TestContenders(t *testing.T) {
	t.Parallel()
	const a, b = "a.vault.azure.net", "b.vault.azure.net"
	orders, plain := vault("shop", "orders", 1, a), vault("shop", "plain", 1)
	cached := indexed(t, orders, plain, vault("den", "orders", 2), vault("den", "rival", 1, a), vault("den", "other", 1, b),
		having(vault("shop", "holding", 1, "c.vault.azure.net"), "c.vault.azure.net"), vault("den", "holding", 2))
	for resource, want := range map[azurehost.Resource][]string{
		orders: {"den/holding", "den/orders", "den/rival", "shop/holding", "shop/orders"}, plain: nil,
	} {
		found, err := publicHostsOf(resource).contenders(t.Context(), cached, resource)
		var got []string
		for _, one := range found {
			got = append(got, one.GetNamespace()+"/"+one.GetName())
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got)\n%s", resource.GetName(), err, diff)
		}
	}
}

// indexed returns a cache of objects.
func indexed(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...)
	for field, values := range azurehost.Indexes {
		builder.WithIndex(&v1alpha1.KeyVault{}, field, values).WithIndex(&v1alpha1.StorageAccount{}, field, values)
	}
	return builder.Build()
}

// A certificate is signed for a name that a resource has, and only while the installation allows it.
func TestHolds(t *testing.T) {
	t.Parallel()
	const held, waiting, withdrawn = "held.vault.azure.net", "waiting.vault.azure.net", "withdrawn.vault.usgovcloudapi.net"
	cached := indexed(t, having(vault("shop", "orders", 1, held, waiting, withdrawn), held, withdrawn))
	hosts := publicHostsOf(&v1alpha1.KeyVault{})
	for host, want := range map[string]bool{held: true, waiting: false, withdrawn: false, "other.vault.azure.net": false} {
		if got := hosts.Holds(cached, host); got != want {
			t.Errorf("%s: holds = %t", host, got)
		}
	}
}
