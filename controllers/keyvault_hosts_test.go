package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// vault returns a vault that declares hosts, created some minutes ago.
func vault(namespace, name string, minutes int, hosts ...v1alpha1.VaultHost) v1alpha1.KeyVault {
	return v1alpha1.KeyVault{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name),
			CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, -minutes, 0, 0, time.UTC)),
		},
		Spec: v1alpha1.KeyVaultSpec{PublicHosts: hosts},
	}
}

// having gives a vault hosts.
func having(vault v1alpha1.KeyVault, hosts ...v1alpha1.VaultHost) v1alpha1.KeyVault {
	vault.Status.PublicHosts = hosts
	return vault
}

func TestPublicHosts(t *testing.T) {
	t.Parallel()
	const a, b = "a.vault.azure.net", "b.vault.azure.net"
	hosts := PublicHosts{Allowed: []string{"vault.azure.net", "vault.azure.cn"}, Certified: func(host string) bool { return !strings.HasSuffix(host, ".cn") }}
	many := []v1alpha1.KeyVault{vault("shop", "last", 1, a)}
	for n := range maxPublicHosts {
		many = append(many, vault("shop", fmt.Sprintf("vault-%d", n), 2, v1alpha1.VaultHost(fmt.Sprintf("host-%d.vault.azure.net", n))))
	}
	for name, test := range map[string]struct {
		all     []v1alpha1.KeyVault // the first one is judged
		want    []v1alpha1.VaultHost
		reason  string
		message string
	}{
		"alone":               {[]v1alpha1.KeyVault{vault("shop", "orders", 1, a, b)}, []v1alpha1.VaultHost{a, b}, v1alpha1.ReasonServed, ""},
		"older than a rival":  {[]v1alpha1.KeyVault{vault("shop", "orders", 2, a), vault("den", "thief", 1, a)}, []v1alpha1.VaultHost{a}, v1alpha1.ReasonServed, ""},
		"younger than one":    {[]v1alpha1.KeyVault{vault("shop", "orders", 1, a, b), vault("den", "other", 2, a)}, []v1alpha1.VaultHost{b}, v1alpha1.ReasonHostTaken, "a.vault.azure.net belongs to KeyVault other of namespace den"},
		"has it already":      {[]v1alpha1.KeyVault{having(vault("shop", "orders", 1, a), a), vault("den", "old", 2, a)}, []v1alpha1.VaultHost{a}, v1alpha1.ReasonServed, ""},
		"another one has it":  {[]v1alpha1.KeyVault{vault("den", "old", 2, a), having(vault("shop", "orders", 1, a), a)}, nil, v1alpha1.ReasonHostTaken, "belongs to KeyVault orders of namespace shop"},
		"both have it":        {[]v1alpha1.KeyVault{having(vault("shop", "orders", 1, a), a), having(vault("den", "old", 2, a), a)}, nil, v1alpha1.ReasonHostTaken, "belongs to KeyVault old"},
		"another one had it":  {[]v1alpha1.KeyVault{vault("shop", "orders", 1, a), having(vault("den", "old", 2), a)}, []v1alpha1.VaultHost{a}, v1alpha1.ReasonServed, ""},
		"has what it forgoes": {[]v1alpha1.KeyVault{having(vault("shop", "orders", 1, b), a, b)}, []v1alpha1.VaultHost{b}, v1alpha1.ReasonServed, ""},
		"not served itself":   {[]v1alpha1.KeyVault{having(vault("shop", "orders", 1, a), a), vault("den", "orders", 2)}, nil, v1alpha1.ReasonNameTaken, "the vault itself is not served"},
		"not allowed":         {[]v1alpha1.KeyVault{vault("shop", "orders", 1, "a.vault.usgovcloudapi.net", a)}, []v1alpha1.VaultHost{a}, v1alpha1.ReasonHostNotAllowed, "keyVault.publicHosts"},
		"not certified":       {[]v1alpha1.KeyVault{vault("shop", "orders", 1, "a.vault.azure.cn")}, nil, v1alpha1.ReasonHostNotCertified, "certificate authority"},
		"one too many":        {many, nil, v1alpha1.ReasonTooManyHosts, "is one too many"},
		"one of many":         {many[1:], []v1alpha1.VaultHost{"host-0.vault.azure.net"}, v1alpha1.ReasonServed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, condition := hosts.judge(&test.all[0], test.all)
			if diff := cmp.Diff(test.want, held); diff != "" {
				t.Error("hosts (-want +got)\n" + diff)
			}
			if condition.Reason != test.reason || (condition.Status == metav1.ConditionTrue) != (test.reason == v1alpha1.ReasonServed) || !strings.Contains(condition.Message, test.message) {
				t.Errorf("condition = %+v", condition)
			}
		})
	}
}
