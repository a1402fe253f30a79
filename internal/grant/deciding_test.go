package grant

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Those that decide bind to the same as all of them.
func TestDecidingBindingsBindTheSame(t *testing.T) {
	t.Parallel()
	random, left := rand.New(rand.NewPCG(1, 2)), 0
	for round := range 500 {
		var all []v1alpha1.IdentityBinding
		possible := []int{3, 80}[round%2]
		for n := range random.IntN(26) {
			var identities []string
			for range 1 + random.IntN(8) {
				identities = appendNew(identities, fmt.Sprint("identity-", random.IntN(possible)))
			}
			one := newBinding(string(rune('a'+n)), []string{"cashier", "other", "*"}[random.IntN(3)], identities...)
			if random.IntN(3) == 0 {
				one.WithDefault(identities[0])
			}
			all = append(all, *one.IdentityBinding)
		}
		var names, defaults []string
		for _, one := range all {
			if one.Spec.ServiceAccounts[0] != "other" && len(names) <= MaxIdentities {
				names, defaults = adding(names, defaults, &one)
			}
		}
		random.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
		deciding := Deciding("shop", "cashier", all)
		left += len(all) - len(deciding)
		gotNames, gotDefaults := bound(cashier(), deciding)
		if diff := cmp.Diff([][]string{names, defaults}, [][]string{gotNames, gotDefaults}); diff != "" {
			t.Fatalf("identities and defaults (-all +deciding):\n%s", diff)
		}
	}
	if left == 0 {
		t.Error("all bindings decide")
	}
}

// A user who creates thousands of bindings decides nothing by most of them.
func TestDecidingBindingsAreBounded(t *testing.T) {
	t.Parallel()
	for name, identity := range map[string]func(n int) string{
		"the same identity":   func(int) string { return "orders" },
		"other identities":    func(n int) string { return fmt.Sprint("identity-", n) },
		"a few":               func(n int) string { return fmt.Sprint("identity-", n%20) },
		"another for another": func(n int) string { return fmt.Sprint("identity-", n/2) },
	} {
		var all []v1alpha1.IdentityBinding
		for n := range 5000 {
			all = append(all, *newBinding(fmt.Sprintf("binding-%04d", n), "cashier", identity(n)).WithDefault(identity(n / 2)).IdentityBinding)
		}
		if got := len(Deciding("shop", "cashier", all)); got > 2*(MaxIdentities+1) {
			t.Errorf("%s: %d bindings decide", name, got)
		}
	}
}
