package grant

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDeniedPods(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a,", MaxAnnotation/2) + "a"
	for name, test := range map[string]struct {
		change func(*Principal)
		reason Reason
	}{
		"in the node's network":         {func(p *Principal) { p.HostNetwork = true }, ReasonHostNetwork},
		"annotation too long":           {func(p *Principal) { *p = p.asking(long) }, ReasonTooLarge},
		"account's annotation too long": {func(p *Principal) { *p = p.whoseAccountAsks(long) }, ReasonTooLarge},
		"namespace has too many labels": {func(p *Principal) { p.NamespaceLabels = map[string]string{LabelsCut: ""} }, ReasonTooLarge},
		"too many identities":           {func(p *Principal) { *p = p.asking(numbered(MaxIdentities + 1)) }, ReasonTooMany},
		"longest annotation":            {func(p *Principal) { *p = p.asking(long[:MaxAnnotation]) }, ""},
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
						t.Errorf("selector %+v: refusal = %v", selector, refusal)
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

// A cut name must not become another identity's name.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 253)
	if got := ParseNames(longest + "," + longest + "bcd"); !slices.Equal(got, []string{longest, longest + "b"}) {
		t.Errorf("names = %q", got)
	}
	if got := len(ParseNames(numbered(1000))); got != MaxIdentities+1 {
		t.Errorf("%d names are read", got)
	}
}
