package grant

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDefaultOfSeveral(t *testing.T) {
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
		"the only one":                          {cashier(), bindings(newBinding("b", "cashier", "orders")), "orders", ""},
		"none is named":                         {cashier(), bindings(newBinding("b", "cashier", "orders", "payments")), "", ReasonNoDefault},
		"the system-assigned one":               {cashier(), bindings(newBinding("b", "cashier", "orders", "machine")), "machine", ""},
		"the system-assigned one, of bindings":  {cashier(), bindings(newBinding("a", "*", "orders"), newBinding("b", "*", "machine")), "machine", ""},
		"two system-assigned ones":              {cashier(), bindings(newBinding("b", "cashier", "machine", "second")), "", ReasonNoDefault},
		"a name counts more than the type":      {cashier(), bindings(newBinding("b", "cashier", "orders", "machine").WithDefault("orders")), "orders", ""},
		"two names count for nothing":           {cashier(), bindings(newBinding("a", "*", "orders").WithDefault("orders"), newBinding("b", "*", "machine").WithDefault("machine")), "", ReasonNoDefault},
		"the first of an annotation":            {cashier().asking("payments,machine,orders"), nil, "payments", ""},
		"the first of an account's annotation":  {cashier().whoseAccountAsks("payments,machine"), nil, "payments", ""},
		"the only system-assigned one, refused": {cashier(), bindings(newBinding("b", "cashier", "orders", "closed")), "", ReasonNotAdmitted},
		"the only one does not exist":           {cashier(), bindings(newBinding("b", "cashier", "missing")), "", ReasonNotFound},
		"what does not exist has no type":       {cashier(), bindings(newBinding("b", "cashier", "orders", "missing", "machine")), "machine", ""},
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
				t.Errorf("the default is %q, refused for %q; want %q and %q", got, reason, test.want, test.reason)
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
		t.Fatalf("the grant is %+v", want)
	}
	for range list {
		list = append(list[1:], list[0])
		for _, order := range [][]v1alpha1.IdentityBinding{list, reversed(list)} {
			before := slices.Clone(order)
			if diff := cmp.Diff(want, outcomeOf(decide(cashier(), all, order))); diff != "" {
				t.Errorf("in another order, the grant (-want +got):\n%s", diff)
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
