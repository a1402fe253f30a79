package grant

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// Those that decide give the same grant as all of them.
func TestDecidingBindingsDecideTheSame(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var known []build.Identity
	for n := range 40 {
		known = append(known, newIdentity(fmt.Sprint("identity-", n)).Admitting("shop", "*"))
	}
	identities, left := lookup(known...), 0
	for round := range 500 {
		var all []v1alpha1.IdentityBinding
		names := []int{3, 40}[round%2]
		for n := range random.IntN(12) {
			var bound []string
			for range 1 + random.IntN(8) {
				bound = append(bound, fmt.Sprint("identity-", random.IntN(names)))
			}
			one := newBinding(fmt.Sprint(random.IntN(100), "-", n), []string{"cashier", "other", "*"}[random.IntN(3)], bound...)
			if random.IntN(3) == 0 {
				one.WithDefault(one.Spec.Identities[0])
			}
			if n == 0 && random.IntN(3) == 0 {
				one.BeingDeleted()
			}
			all = append(all, *one.IdentityBinding)
		}
		deciding := Deciding("shop", "cashier", all)
		left += len(all) - len(deciding)
		if diff := cmp.Diff(decide(cashier(), identities, all), decide(cashier(), identities, deciding), cmp.AllowUnexported(Grant{})); diff != "" {
			t.Fatalf("grant (-all +deciding):\n%s", diff)
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
