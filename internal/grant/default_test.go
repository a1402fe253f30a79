package grant

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDefaultIdentity(t *testing.T) {
	t.Parallel()
	orders := newIdentity("orders").Admitting("shop", "*")
	payments := newIdentity("payments").Admitting("shop", "*")
	machine := newIdentity("machine").Admitting("shop", "*").SystemAssigned()
	second := newIdentity("second").Admitting("shop", "*").SystemAssigned()
	closed := newIdentity("closed").SystemAssigned()
	all := lookup(orders, payments, machine, second, closed)
	for name, test := range map[string]struct {
		principal Principal
		bindings  []v1alpha1.IdentityBinding
		want      string
		reason    Reason
	}{
		"only one":                           {cashier(), bindings(newBinding("b", "cashier", "orders")), "orders", ""},
		"several, none named":                {cashier(), bindings(newBinding("b", "cashier", "orders", "payments")), "", ReasonNoDefault},
		"system-assigned one":                {cashier(), bindings(newBinding("b", "cashier", "orders", "machine")), "machine", ""},
		"system-assigned one, two bindings":  {cashier(), bindings(newBinding("a", "*", "orders"), newBinding("b", "*", "machine")), "machine", ""},
		"two system-assigned ones":           {cashier(), bindings(newBinding("b", "cashier", "machine", "second")), "", ReasonNoDefault},
		"named one over system-assigned one": {cashier(), bindings(newBinding("b", "cashier", "orders", "machine").WithDefault("orders")), "orders", ""},
		"two named ones":                     {cashier(), bindings(newBinding("a", "*", "orders").WithDefault("orders"), newBinding("b", "*", "machine").WithDefault("machine")), "", ReasonNoDefault},
		"first of the annotation":            {cashier().asking("payments,machine,orders"), nil, "payments", ""},
		"first of the account's annotation":  {cashier().whoseAccountAsks("payments,machine"), nil, "payments", ""},
		"system-assigned one is refused":     {cashier(), bindings(newBinding("b", "cashier", "orders", "closed")), "", ReasonNotAdmitted},
		"only one does not exist":            {cashier(), bindings(newBinding("b", "cashier", "missing")), "", ReasonNotFound},
		"missing one has no type":            {cashier(), bindings(newBinding("b", "cashier", "orders", "missing", "machine")), "machine", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identity, refusal := decide(test.principal, all, test.bindings).Select(Selector{})
			got, reason := "", Reason("")
			if identity != nil {
				got = identity.Name
			}
			if refusal != nil {
				reason = refusal.Reason
			}
			if got != test.want || reason != test.reason {
				t.Errorf("default = %q, refused for %q; want %q and %q", got, reason, test.want, test.reason)
			}
		})
	}
}

func TestOrderOfTheListDoesNotMatter(t *testing.T) {
	t.Parallel()
	all := lookup(newIdentity("orders").Admitting("shop", "*"), newIdentity("machine").Admitting("shop", "*").SystemAssigned(),
		newIdentity("stock").Admitting("shop", "*"), newIdentity("closed"))
	list := bindings(newBinding("a", "*", "stock", "orders"), newBinding("b", "cashier", "closed"),
		newBinding("c", "cashier", "machine", "stock"), newBinding("d", "cashier", "missing"))
	want := outcomeOf(decide(cashier(), all, list))
	if len(want.Granted) != 3 || want.Default != "machine" {
		t.Fatalf("grant = %+v", want)
	}
	for range list {
		list = append(list[1:], list[0])
		for _, order := range [][]v1alpha1.IdentityBinding{list, reversed(list)} {
			before := slices.Clone(order)
			if diff := cmp.Diff(want, outcomeOf(decide(cashier(), all, order))); diff != "" {
				t.Errorf("grant in another order (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, order); diff != "" {
				t.Errorf("the caller's list was changed (-before +after):\n%s", diff)
			}
		}
	}
}

func reversed(list []v1alpha1.IdentityBinding) []v1alpha1.IdentityBinding {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}
