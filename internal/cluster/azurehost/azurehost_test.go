package azurehost

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

func vault(name string, age time.Duration, declared, held []v1alpha1.VaultHost) *v1alpha1.KeyVault {
	return &v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(time.Now().Add(-age))},
		Spec:       v1alpha1.KeyVaultSpec{PublicHosts: declared}, Status: v1alpha1.KeyVaultStatus{PublicHosts: held},
	}
}

func reader(t *testing.T, objects ...client.Object) client.Reader {
	t.Helper()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...)
	for field, values := range Indexes {
		builder.WithIndex(&v1alpha1.KeyVault{}, field, values).WithIndex(&v1alpha1.StorageAccount{}, field, values)
	}
	return builder.Build()
}

func TestHosts(t *testing.T) {
	t.Parallel()
	both := []v1alpha1.VaultHost{"a.vault.azure.net", "b.vault.azure.net"}
	blobs := []v1alpha1.StorageHost{"orders.blob.core.windows.net"}
	cached := reader(t,
		vault("z-old", time.Hour, both, both[:1]), vault("young", time.Minute, both, both),
		vault("undeclared", 2*time.Hour, nil, []v1alpha1.VaultHost{"d.vault.azure.net"}), vault("waiting", time.Hour, []v1alpha1.VaultHost{"c.vault.azure.net"}, nil),
		&v1alpha1.StorageAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"},
			Spec:       v1alpha1.StorageAccountSpec{PublicHosts: blobs}, Status: v1alpha1.StorageAccountStatus{PublicHosts: blobs},
		},
	)
	for host, want := range map[string]string{
		"a.vault.azure.net": "z-old", "b.vault.azure.net": "young", "c.vault.azure.net": "", "d.vault.azure.net": "", string(blobs[0]): "orders",
	} {
		got, err := KindOf(host).Holder(t.Context(), cached, host)
		if err != nil || (got == nil) != (want == "") || got != nil && got.GetName() != want {
			t.Errorf("%s: got %v, want %q, error %v", host, got, want, err)
		}
	}
	for kind, want := range map[*Kind][]string{KeyVaults: {"a.vault.azure.net", "b.vault.azure.net"}, StorageAccounts: {string(blobs[0])}} {
		held, err := kind.Held(t.Context(), cached)
		if diff := cmp.Diff(want, held); diff != "" || err != nil {
			t.Errorf("%s: error %v, held (-want +got)\n%s", kind.Name, err, diff)
		}
	}
}

// Resources are found by indexes, without looking at all of them.
func TestHoldingAndNamed(t *testing.T) {
	t.Parallel()
	hosts := []v1alpha1.VaultHost{"a.vault.azure.net"}
	cached := reader(t, vault("plain", 0, nil, nil), vault("waiting", 0, hosts, nil), vault("holding", 0, hosts, hosts))
	for name, find := range map[string]func() ([]Resource, error){
		"holding": func() ([]Resource, error) { return KeyVaults.Holding(t.Context(), cached) },
		"plain":   func() ([]Resource, error) { return KeyVaults.Named(t.Context(), cached, "plain") },
	} {
		if found, err := find(); err != nil || len(found) != 1 || found[0].GetName() != name {
			t.Errorf("found %v, error %v, want %s", found, err, name)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]*Kind{
		"orders.vault.azure.net": KeyVaults, "orders.table.core.chinacloudapi.cn": StorageAccounts, "orders.dfs.core.windows.net": nil,
		"vault.azure.net": nil, "a.b.vault.azure.net": nil, "orders.blob.core.windows.net.example.com": nil, "orders.example.com": nil, "": nil,
	} {
		if got := KindOf(host); got != want {
			t.Errorf("%q: got %+v", host, got)
		}
	}
	// Names of one kind are never those of another: nothing that vaults declare is in the way of accounts.
	for _, domain := range KeyVaults.Domains {
		if slices.ContainsFunc(StorageAccounts.Domains, func(other string) bool {
			return strings.HasSuffix("."+domain, "."+other) || strings.HasSuffix("."+other, "."+domain)
		}) {
			t.Errorf("%s is a domain of both", domain)
		}
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	allowed := Allowed{"vault.azure.net", "orders.vault.azure.cn"}
	for host, want := range map[string]bool{
		"orders.vault.azure.net": true, "orders.vault.azure.cn": true, "other.vault.azure.cn": false, "x.orders.vault.azure.cn": true,
		"ordersvault.azure.net": false, "orders.vault.azure.net.example.com": false, "": false,
	} {
		if got := allowed.Allow(host); got != want {
			t.Errorf("%q: allowed: %t", host, got)
		}
	}
	if (Allowed)(nil).Allow("orders.vault.azure.net") {
		t.Error("an installation that allows nothing allows it")
	}
}
