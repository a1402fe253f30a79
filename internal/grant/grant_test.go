package grant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// outcome is a grant as tests compare it.
type outcome struct {
	Source   Source
	Granted  []string
	Default  string
	Refusals map[string]Reason
}

func outcomeOf(decided Grant) outcome {
	result := outcome{Source: decided.Source}
	for _, identity := range decided.Identities {
		result.Granted = append(result.Granted, identity.Name)
	}
	if decided.Default != nil {
		result.Default = decided.Default.Name
	}
	for _, refusal := range decided.Refusals {
		if result.Refusals == nil {
			result.Refusals = map[string]Reason{}
		}
		result.Refusals[refusal.Identity] = refusal.Reason
	}
	return result
}

func TestWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	all := lookup(newIdentity("orders").admitting("shop", "*"), newIdentity("payments").admitting("shop", "*"),
		newIdentity("stock").admitting("shop", "*"))
	for name, test := range map[string]struct {
		principal Principal
		bindings  []v1alpha1.IdentityBinding
		want      outcome
	}{
		"nothing": {cashier(), nil, outcome{Source: SourceNone}},
		"by the pod, the first is the default": {cashier().asking("orders,payments"), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders", "payments"}, Default: "orders"}},
		"with blanks, empty items and twice the same": {cashier().asking(" orders ,, payments,orders, "), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders", "payments"}, Default: "orders"}},
		"by the ServiceAccount": {cashier().whoseAccountAsks("payments"), nil,
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"the pod's annotation takes the place of its ServiceAccount's": {cashier().asking("orders").whoseAccountAsks("payments"), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders"}, Default: "orders"}},
		"an empty annotation asks for nothing": {cashier().asking(" , ").whoseAccountAsks("payments"), nil,
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"by a binding": {cashier(), bindings(newBinding("b", "cashier", "orders")),
			outcome{Source: SourceBinding, Granted: []string{"orders"}, Default: "orders"}},
		"by a binding of every ServiceAccount": {cashier(), bindings(newBinding("b", "*", "orders")),
			outcome{Source: SourceBinding, Granted: []string{"orders"}, Default: "orders"}},
		"an annotation takes the place of bindings": {cashier().whoseAccountAsks("payments"), bindings(newBinding("b", "cashier", "orders")),
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"a binding of another ServiceAccount": {cashier(), bindings(newBinding("b", "manager", "orders")), outcome{Source: SourceNone}},
		"a binding of another namespace": {cashier(), bindings(newBinding("b", "cashier", "orders").inNamespace("bank")),
			outcome{Source: SourceNone}},
		"several bindings, in the order of their names": {cashier(),
			bindings(newBinding("z", "cashier", "stock"), newBinding("a", "cashier", "orders", "payments").withDefault("payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments", "stock"}, Default: "payments"}},
		"several and no default": {cashier(), bindings(newBinding("b", "cashier", "orders", "payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments"}}},
		"defaults that contradict each other": {cashier(),
			bindings(newBinding("a", "cashier", "orders").withDefault("orders"), newBinding("b", "cashier", "payments").withDefault("payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, outcomeOf(Decide(test.principal, all, test.bindings))); diff != "" {
				t.Errorf("the grant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSystemAssignedIsTheDefault(t *testing.T) {
	t.Parallel()
	orders := newIdentity("orders").admitting("shop", "*")
	machine := newIdentity("machine").admitting("shop", "*").systemAssigned()
	bound := bindings(newBinding("b", "cashier", "orders", "machine"))
	if got := outcomeOf(Decide(cashier(), lookup(orders, machine), bound)).Default; got != "machine" {
		t.Errorf("the default is %q", got)
	}
	second := newIdentity("orders").admitting("shop", "*").systemAssigned()
	if got := outcomeOf(Decide(cashier(), lookup(second, machine), bound)).Default; got != "" {
		t.Errorf("of two system-assigned identities, the default is %q", got)
	}
}

func TestWhoIsAdmitted(t *testing.T) {
	t.Parallel()
	team := func(name string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
	}
	for name, test := range map[string]struct {
		identity identity
		want     bool
	}{
		"nobody":                             {newIdentity("orders"), false},
		"by both names":                      {newIdentity("orders").admitting("shop", "cashier"), true},
		"every ServiceAccount":               {newIdentity("orders").admitting("shop", "*"), true},
		"another ServiceAccount":             {newIdentity("orders").admitting("shop", "manager"), false},
		"another namespace":                  {newIdentity("orders").admitting("bank", "cashier"), false},
		"no namespace is called *":           {newIdentity("orders").admitting("*", "cashier"), false},
		"by label":                           {newIdentity("orders").admittingSelected(team("retail"), "cashier"), true},
		"by another label":                   {newIdentity("orders").admittingSelected(team("bank"), "cashier"), false},
		"by label, another ServiceAccount":   {newIdentity("orders").admittingSelected(team("retail"), "manager"), false},
		"an empty selector is every one":     {newIdentity("orders").admittingSelected(metav1.LabelSelector{}, "cashier"), true},
		"a selector that is none is nobody":  {newIdentity("orders").admittingSelected(invalidSelector(), "*"), false},
		"the second admission counts too":    {newIdentity("orders").admitting("bank", "*").admitting("shop", "cashier"), true},
		"admissions do not mix their halves": {newIdentity("orders").admitting("shop", "manager").admitting("bank", "cashier"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Admits(test.identity.ManagedIdentity, cashier()); got != test.want {
				t.Errorf("admitted: %t", got)
			}
		})
	}
}

func invalidSelector() metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Likes"}}}
}

func TestWhyAnIdentityIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		identities Identities
		reason     Reason
		message    string
		temporary  bool
	}{
		"it does not exist":                               {lookup(), ReasonNotFound, `ManagedIdentity "orders" does not exist`, false},
		"it is being deleted":                             {lookup(newIdentity("orders").admitting("shop", "*").beingDeleted()), ReasonNotFound, "does not exist", false},
		"it does not admit":                               {lookup(newIdentity("orders")), ReasonNotAdmitted, `does not admit the ServiceAccount "cashier" of namespace "shop"`, false},
		"its IDs are not there":                           {lookup(newIdentity("orders").admitting("shop", "*").unresolved()), ReasonNotReady, "has not resolved its IDs", true},
		"it is not ready":                                 {lookup(newIdentity("orders").admitting("shop", "*").notReady("its IDs are taken")), ReasonNotReady, "its IDs are taken", true},
		"who is not admitted learns nothing of its state": {lookup(newIdentity("orders").notReady("secret")), ReasonNotAdmitted, "does not admit", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided := Decide(cashier().asking("orders"), test.identities, nil)
			if len(decided.Refusals) != 1 || len(decided.Identities) != 0 || decided.Default != nil {
				t.Fatalf("the grant is %+v", decided)
			}
			refusal := decided.Refusals[0]
			if refusal.Reason != test.reason || refusal.Temporary() != test.temporary || !strings.Contains(refusal.Error(), test.message) {
				t.Errorf("refused for %s (temporary: %t): %s", refusal.Reason, refusal.Temporary(), refusal.Message)
			}
		})
	}
}
