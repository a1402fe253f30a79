package grant

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWhoIsGrantedNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a,", MaxAnnotation/2) + "a"
	for name, test := range map[string]struct {
		change func(*Principal)
		reason Reason
	}{
		"who is in the node's network":         {func(p *Principal) { p.HostNetwork = true }, ReasonHostNetwork},
		"whose annotation is long":             {func(p *Principal) { *p = p.asking(long) }, ReasonTooLarge},
		"whose account's annotation is long":   {func(p *Principal) { *p = p.whoseAccountAsks(long) }, ReasonTooLarge},
		"whose namespace has labels too many":  {func(p *Principal) { p.NamespaceLabels = map[string]string{LabelsCut: ""} }, ReasonTooLarge},
		"who asks for too many":                {func(p *Principal) { *p = p.asking(numbered(MaxIdentities + 1)) }, ReasonTooMany},
		"who asks for more than can be looked": {func(p *Principal) { *p = p.asking(long[:MaxAnnotation]) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			principal := cashier().asking("orders")
			test.change(&principal)
			decided := decide(principal, lookup(newIdentity("orders").Admitting("shop", "*")), nil)
			var reason Reason
			if denied := decided.Denied(); denied != nil {
				reason = denied.Reason
				for _, selector := range []Selector{{}, {ClientID: "client-orders"}} {
					if _, refusal := decided.Select(selector); refusal == nil || refusal.Reason != test.reason {
						t.Errorf("asked for %+v it says %v", selector, refusal)
					}
				}
			}
			if reason != test.reason || len(decided.Identities) > 0 {
				t.Errorf("denied for %q, with %d identities", reason, len(decided.Identities))
			}
		})
	}
}

func numbered(count int) string {
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("identity-%d", i))
	}
	return strings.Join(names, ",")
}

// A name that is cut must not become that of another identity.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 253)
	if got := ParseNames(longest + "," + longest + "bcd"); !slices.Equal(got, []string{longest, longest + "b"}) {
		t.Errorf("the names are %q", got)
	}
	if got := len(ParseNames(numbered(1000))); got != MaxIdentities+1 {
		t.Errorf("%d names are read", got)
	}
}
