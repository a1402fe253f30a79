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
		"no ID":                              {two, Selector{}, "orders", ""},
		"client ID":                          {two, Selector{ClientID: "client-payments"}, "payments", ""},
		"client ID in capitals":              {two, Selector{ClientID: "CLIENT-PAYMENTS"}, "payments", ""},
		"object ID":                          {two, Selector{ObjectID: "principal-payments"}, "payments", ""},
		"resource ID in another case":        {two, Selector{ResourceID: "/Resource/Payments"}, "payments", ""},
		"object ID in capitals":              {two, Selector{ObjectID: "PRINCIPAL-PAYMENTS"}, "payments", ""},
		"resource ID":                        {two, Selector{ResourceID: "/resource/payments"}, "payments", ""},
		"unknown object ID":                  {two, Selector{ObjectID: "principal-nobody"}, "", ReasonNotGranted},
		"unknown resource ID":                {two, Selector{ResourceID: "/resource/nobody"}, "", ReasonNotGranted},
		"ID of another kind":                 {two, Selector{ObjectID: "client-orders"}, "", ReasonNotGranted},
		"ID of a refused identity":           {defaultRefused, Selector{ClientID: "client-closed"}, "", ReasonNotGranted},
		"two IDs of one identity":            {two, Selector{ClientID: "client-orders", ObjectID: "principal-orders"}, "orders", ""},
		"two IDs of different identities":    {two, Selector{ClientID: "client-orders", ObjectID: "principal-payments"}, "", ReasonNotGranted},
		"unknown client ID":                  {two, Selector{ClientID: "client-nobody"}, "", ReasonNotGranted},
		"ID of another pod's identity":       {two, Selector{ClientID: "client-closed"}, "", ReasonNotGranted},
		"several and no default":             {ambiguous, Selector{}, "", ReasonNoDefault},
		"several, one selected":              {ambiguous, Selector{ClientID: "client-orders"}, "orders", ""},
		"no identity":                        {none, Selector{}, "", ReasonNoIdentity},
		"refused default":                    {defaultRefused, Selector{}, "", ReasonNotAdmitted},
		"granted one beside refused default": {defaultRefused, Selector{ClientID: "client-orders"}, "orders", ""},
		"one that is not ready":              {oneWaits, Selector{ClientID: "client-waiting"}, "", ReasonNotReady},
		"ready default beside it":            {oneWaits, Selector{}, "orders", ""},
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
