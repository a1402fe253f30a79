package grant

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestRefusal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		identities Lookup
		reason     Reason
		message    string
		temporary  bool
	}{
		"does not exist":   {lookup(), ReasonNotFound, `ManagedIdentity "orders" does not exist`, false},
		"is being deleted": {lookup(newIdentity("orders").Admitting("shop", "*").BeingDeleted()), ReasonNotFound, "does not exist", false},
		"does not admit":   {lookup(newIdentity("orders")), ReasonNotAdmitted, `does not admit the ServiceAccount "cashier" of namespace "shop"`, false},
		"has no IDs yet":   {lookup(build.NewIdentity("orders").Admitting("shop", "*")), ReasonNotReady, "has not resolved its IDs", true},
		"is not ready":     {lookup(newIdentity("orders").Admitting("shop", "*").NotReady("its IDs are taken")), ReasonNotReady, "its IDs are taken", true},
		"token source unsupported": {lookup(newIdentity("orders").Admitting("shop", "*").NotReadyBecause(v1alpha1.ReasonTokenSource, "not from Entra")),
			ReasonTokenSource, "has no tokens: not from Entra", false},
		"state is hidden from those not admitted": {lookup(newIdentity("orders").NotReady("secret")), ReasonNotAdmitted, "does not admit", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided := decide(cashier().asking("orders"), test.identities, nil)
			if len(decided.Refusals) != 1 || len(decided.Identities) != 0 || decided.Default != nil {
				t.Fatalf("grant = %+v", decided)
			}
			refusal := decided.Refusals[0]
			if refusal.Reason != test.reason || refusal.Temporary() != test.temporary || !strings.Contains(refusal.Error(), test.message) {
				t.Errorf("refused for %s (temporary: %t): %s", refusal.Reason, refusal.Temporary(), refusal.Message)
			}
		})
	}
}

// An identity of Entra ID is granted while Entra refuses it: otherwise nobody would ask again when that is put right.
func TestIdentityThatEntraRefusesIsGranted(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{v1alpha1.ReasonNotTried, v1alpha1.ReasonNotFederated} {
		identities := lookup(newIdentity("orders").Admitting("shop", "*").NotReadyBecause(reason, "AADSTS70025"))
		if decided := decide(cashier().asking("orders"), identities, nil); len(decided.Identities) != 1 || len(decided.Refusals) != 0 {
			t.Errorf("%s: grant = %+v", reason, decided)
		}
	}
}

// The message alone says what to do.
func TestRefusalsSayTheWayOut(t *testing.T) {
	t.Parallel()
	all := lookup(newIdentity("closed"), build.NewIdentity("waiting").Admitting("shop", "*"),
		newIdentity("conflicting").Admitting("shop", "*").NotReady("clientID is that of payments"))
	var got []string
	for _, refusal := range decide(cashier().asking("missing,closed,waiting,conflicting"), all, nil).Refusals {
		got = append(got, refusal.Message)
	}
	want := []string{
		`ManagedIdentity "missing" does not exist: create it, or ask for another with the annotation kube-imds.io/identity`,
		`ManagedIdentity "closed" does not admit the ServiceAccount "cashier" of namespace "shop": ` +
			`its administrator can add them to spec.assumableBy`,
		`ManagedIdentity "waiting" is not ready: the controller has not resolved its IDs yet`,
		`ManagedIdentity "conflicting" is not ready: clientID is that of payments`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestOnlyNotReadyIsTemporary(t *testing.T) {
	t.Parallel()
	for reason, want := range map[Reason]bool{
		ReasonNotReady: true, ReasonNotFound: false, ReasonNotAdmitted: false, ReasonNoIdentity: false, ReasonNoDefault: false, ReasonNotGranted: false,
	} {
		if got := (&Refusal{Reason: reason}).Temporary(); got != want {
			t.Errorf("%s is temporary: %t", reason, got)
		}
	}
}

func TestTooManyIdentities(t *testing.T) {
	t.Parallel()
	unused := func(string) (*v1alpha1.ManagedIdentity, error) {
		t.Error("identities are looked up")
		return nil, nil
	}
	names := make([]string, MaxIdentities+1)
	for i := range names {
		names[i] = fmt.Sprintf("identity-%d", i)
	}
	for name, decided := range map[string]Grant{
		"by annotation": decide(cashier().asking(strings.Join(names, ",")), unused, nil),
		"by bindings": decide(cashier(), unused, bindings(
			newBinding("a", "*", names[:20]...).WithDefault("identity-0"), newBinding("b", "*", names[20:]...))),
		"by bindings without a default": decide(cashier(), unused, bindings(newBinding("a", "*", names[:20]...), newBinding("b", "*", names[20:]...))),
	} {
		if _, refusal := decided.Select(Selector{}); refusal == nil || refusal.Reason != ReasonTooMany {
			t.Errorf("%s: refusal = %v", name, refusal)
		}
	}
	if decided := decide(cashier().asking(strings.Join(names[1:], ",")), lookup(), nil); len(decided.Refusals) != MaxIdentities {
		t.Errorf("%d identities are looked up", len(decided.Refusals))
	}
}
