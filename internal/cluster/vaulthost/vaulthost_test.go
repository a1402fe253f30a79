package vaulthost

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

func TestHosts(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	both := []v1alpha1.VaultHost{"a.vault.azure.net", "b.vault.azure.net"}
	reader := fake.NewClientBuilder().WithScheme(kinds).WithIndex(&v1alpha1.KeyVault{}, Field, Values).WithObjects(
		vault("z-old", time.Hour, both, both[:1]), vault("young", time.Minute, both, both),
		vault("undeclared", 2*time.Hour, nil, []v1alpha1.VaultHost{"d.vault.azure.net"}), vault("waiting", time.Hour, []v1alpha1.VaultHost{"c.vault.azure.net"}, nil),
	).Build()
	for host, want := range map[string]string{"a.vault.azure.net": "z-old", "b.vault.azure.net": "young", "c.vault.azure.net": "", "d.vault.azure.net": ""} {
		got, err := Holder(t.Context(), reader, host)
		if err != nil || (got == nil) != (want == "") || got != nil && got.Name != want {
			t.Errorf("%s: got %v, want %q, error %v", host, got, want, err)
		}
	}
	held, err := Held(t.Context(), reader)
	if err != nil || !slices.Equal(held, []string{"a.vault.azure.net", "b.vault.azure.net"}) {
		t.Errorf("held = %v, error %v", held, err)
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
