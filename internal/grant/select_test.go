package grant

import (
	"testing"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	orders := newIdentity("orders").Admitting("shop", "*")
	payments := newIdentity("payments").Admitting("shop", "*")
	closed := newIdentity("closed")
	waiting := build.NewIdentity("waiting").Admitting("shop", "*")
	all := lookup(orders, payments, closed, waiting)
	two := decide(cashier().asking("orders,payments"), all, nil)
	ambiguous := decide(cashier(), all, bindings(newBinding("b", "cashier", "orders", "payments")))
	none := decide(cashier(), all, nil)
	defaultRefused := decide(cashier().asking("closed,orders"), all, nil)
	oneWaits := decide(cashier().asking("orders,waiting"), all, nil)

	for name, test := range map[string]struct {
		grant    Grant
		selector Selector
		want     string
		reason   Reason
	}{
		"no ID means the default":            {two, Selector{}, "orders", ""},
		"client ID":                          {two, Selector{ClientID: "client-payments"}, "payments", ""},
		"client ID in capitals":              {two, Selector{ClientID: "CLIENT-PAYMENTS"}, "payments", ""},
		"object ID":                          {two, Selector{ObjectID: "principal-payments"}, "payments", ""},
		"resource ID in another case":        {two, Selector{ResourceID: "/Resource/Payments"}, "payments", ""},
		"object ID in capitals":              {two, Selector{ObjectID: "PRINCIPAL-PAYMENTS"}, "payments", ""},
		"resource ID":                        {two, Selector{ResourceID: "/resource/payments"}, "payments", ""},
		"an unknown object ID":               {two, Selector{ObjectID: "principal-nobody"}, "", ReasonNotGranted},
		"an unknown resource ID":             {two, Selector{ResourceID: "/resource/nobody"}, "", ReasonNotGranted},
		"an ID of another kind":              {two, Selector{ObjectID: "client-orders"}, "", ReasonNotGranted},
		"the ID of a refused identity":       {defaultRefused, Selector{ClientID: "client-closed"}, "", ReasonNotGranted},
		"two IDs of one identity":            {two, Selector{ClientID: "client-orders", ObjectID: "principal-orders"}, "orders", ""},
		"two IDs of different identities":    {two, Selector{ClientID: "client-orders", ObjectID: "principal-payments"}, "", ReasonNotGranted},
		"an unknown ID is not the default":   {two, Selector{ClientID: "client-nobody"}, "", ReasonNotGranted},
		"the ID of an identity of others":    {two, Selector{ClientID: "client-closed"}, "", ReasonNotGranted},
		"several and no default":             {ambiguous, Selector{}, "", ReasonNoDefault},
		"several, one of them named":         {ambiguous, Selector{ClientID: "client-orders"}, "orders", ""},
		"no identity":                        {none, Selector{}, "", ReasonNoIdentity},
		"a refused default has no deputy":    {defaultRefused, Selector{}, "", ReasonNotAdmitted},
		"what is granted beside it":          {defaultRefused, Selector{ClientID: "client-orders"}, "orders", ""},
		"it may be the one not ready yet":    {oneWaits, Selector{ClientID: "client-waiting"}, "", ReasonNotReady},
		"what is ready does not wait for it": {oneWaits, Selector{}, "orders", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identity, refusal := test.grant.Select(test.selector)
			got, reason := "", Reason("")
			if identity != nil {
				got = identity.Name
			}
			if refusal != nil {
				reason = refusal.Reason
			}
			if got != test.want || reason != test.reason {
				t.Errorf("selected %q, refused for %q; want %q and %q", got, reason, test.want, test.reason)
			}
		})
	}
}
