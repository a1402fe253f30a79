package role

import (
	"slices"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestAppRoles(t *testing.T) {
	t.Parallel()
	orders := Scope{Namespace: "shop", API: "orders"}
	assignments := []Assignment{
		{"clerk", "Orders.Write", orders},
		{"clerk", "Orders.Read", orders},
		{"Clerk", "Orders.Read", orders},
		{"clerk", "Bills.Read", Scope{Namespace: "shop", API: "bills"}},
		{"clerk", "Orders.Admin", Scope{Namespace: "bank", API: "orders"}},
		{"clerk", v1alpha1.KeyVaultAdministrator, Scope{Namespace: "shop", KeyVault: "orders"}},
		{"clerk", v1alpha1.StorageBlobDataOwner, Scope{Namespace: "shop", StorageAccount: "orders"}},
		{"", "Orders.Admin", orders},
	}
	for principal, want := range map[string][]v1alpha1.RoleName{"CLERK": {"Orders.Read", "Orders.Write"}, "stranger": nil, "": nil} {
		if got := AppRoles(assignments, principal, orders); !slices.Equal(got, want) {
			t.Errorf("%q has %q, want %q", principal, got, want)
		}
	}
	if Decide(assignments, "clerk", GetSecret, orders) {
		t.Error("a role at a vault is one at an API of the name")
	}
}

func TestDecideByAppRoles(t *testing.T) {
	t.Parallel()
	alternatives := [][]v1alpha1.RoleName{{"Orders.Read", "Audit.Read"}, {"Orders.Admin"}}
	for name, test := range map[string]struct {
		roles        []v1alpha1.RoleName
		alternatives [][]v1alpha1.RoleName
		want         bool
	}{
		"all of the first":          {[]v1alpha1.RoleName{"Audit.Read", "Orders.Read"}, alternatives, true},
		"the second":                {[]v1alpha1.RoleName{"Orders.Admin"}, alternatives, true},
		"a part of the first":       {[]v1alpha1.RoleName{"Orders.Read"}, alternatives, false},
		"names have a case":         {[]v1alpha1.RoleName{"orders.admin"}, alternatives, false},
		"none":                      {nil, alternatives, false},
		"nothing is enough":         {[]v1alpha1.RoleName{"Orders.Admin"}, nil, false},
		"nobody needs no roles":     {[]v1alpha1.RoleName{"Orders.Admin"}, [][]v1alpha1.RoleName{{}}, false},
		"a beginning of the second": {[]v1alpha1.RoleName{"Orders"}, alternatives, false},
	} {
		if got := DecideByAppRoles(test.roles, test.alternatives); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
