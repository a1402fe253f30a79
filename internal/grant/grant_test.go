package grant

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// outcome is the part of a grant that tests compare.
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

func TestRequestedIdentities(t *testing.T) {
	t.Parallel()
	all := lookup(newIdentity("orders").Admitting("shop", "*"), newIdentity("payments").Admitting("shop", "*"),
		newIdentity("stock").Admitting("shop", "*"))
	for name, test := range map[string]struct {
		principal Principal
		bindings  []v1alpha1.IdentityBinding
		want      outcome
	}{
		"none": {cashier(), nil, outcome{Source: SourceNone}},
		"pod's annotation, the first is the default": {cashier().asking("orders,payments"), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders", "payments"}, Default: "orders"}},
		"blanks, empty items and duplicates": {cashier().asking(" orders ,, payments,orders, "), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders", "payments"}, Default: "orders"}},
		"ServiceAccount's annotation": {cashier().whoseAccountAsks("payments"), nil,
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"pod's annotation overrides the ServiceAccount's": {cashier().asking("orders").whoseAccountAsks("payments"), nil,
			outcome{Source: SourcePodAnnotation, Granted: []string{"orders"}, Default: "orders"}},
		"empty annotation": {cashier().asking(" , ").whoseAccountAsks("payments"), nil,
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"binding": {cashier(), bindings(newBinding("b", "cashier", "orders")),
			outcome{Source: SourceBinding, Granted: []string{"orders"}, Default: "orders"}},
		"binding of every ServiceAccount": {cashier(), bindings(newBinding("b", "*", "orders")),
			outcome{Source: SourceBinding, Granted: []string{"orders"}, Default: "orders"}},
		"annotation overrides bindings": {cashier().whoseAccountAsks("payments"), bindings(newBinding("b", "cashier", "orders")),
			outcome{Source: SourceServiceAccountAnnotation, Granted: []string{"payments"}, Default: "payments"}},
		"binding of another ServiceAccount": {cashier(), bindings(newBinding("b", "manager", "orders")), outcome{Source: SourceNone}},
		"binding of another namespace": {cashier(), bindings(build.NewBinding("bank", "b").Of("cashier").To("orders")),
			outcome{Source: SourceNone}},
		"several bindings, by name": {cashier(),
			bindings(newBinding("z", "cashier", "stock"), newBinding("a", "cashier", "orders", "payments").WithDefault("payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments", "stock"}, Default: "payments"}},
		"bindings that agree on a default": {cashier(),
			bindings(newBinding("a", "cashier", "orders", "stock").WithDefault("orders"), newBinding("b", "cashier", "payments", "orders").WithDefault("orders")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "stock", "payments"}, Default: "orders"}},
		"binding that is being deleted": {cashier(),
			bindings(newBinding("a", "cashier", "orders").WithDefault("orders").BeingDeleted(), newBinding("b", "cashier", "payments")),
			outcome{Source: SourceBinding, Granted: []string{"payments"}, Default: "payments"}},
		"refused default": {cashier(), bindings(newBinding("b", "cashier", "orders", "missing").WithDefault("missing")),
			outcome{Source: SourceBinding, Granted: []string{"orders"}, Refusals: map[string]Reason{"missing": ReasonNotFound}}},
		"several and no default": {cashier(), bindings(newBinding("b", "cashier", "orders", "payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments"}}},
		"defaults that contradict each other": {cashier(),
			bindings(newBinding("a", "cashier", "orders").WithDefault("orders"), newBinding("b", "cashier", "payments").WithDefault("payments")),
			outcome{Source: SourceBinding, Granted: []string{"orders", "payments"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, outcomeOf(decide(test.principal, all, test.bindings))); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	team := func(name string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
	}
	for name, test := range map[string]struct {
		identity build.Identity
		want     bool
	}{
		"no admission":                   {newIdentity("orders"), false},
		"both names":                     {newIdentity("orders").Admitting("shop", "cashier"), true},
		"every ServiceAccount":           {newIdentity("orders").Admitting("shop", "*"), true},
		"another ServiceAccount":         {newIdentity("orders").Admitting("shop", "manager"), false},
		"another namespace":              {newIdentity("orders").Admitting("bank", "cashier"), false},
		"every namespace":                {newIdentity("orders").Admitting("*", "cashier"), true},
		"every namespace, another one":   {newIdentity("orders").Admitting("*", "manager"), false},
		"label":                          {newIdentity("orders").AdmittingSelected(team("retail"), "cashier"), true},
		"another label":                  {newIdentity("orders").AdmittingSelected(team("bank"), "cashier"), false},
		"label, another ServiceAccount":  {newIdentity("orders").AdmittingSelected(team("retail"), "manager"), false},
		"expression":                     {newIdentity("orders").AdmittingSelected(teamIs("NotIn", "bank", "press"), "cashier"), true},
		"excluding expression":           {newIdentity("orders").AdmittingSelected(teamIs("NotIn", "bank", "retail"), "cashier"), false},
		"label and excluding expression": {newIdentity("orders").AdmittingSelected(both(team("retail"), teamIs("DoesNotExist")), "cashier"), false},
		"empty selector":                 {newIdentity("orders").AdmittingSelected(metav1.LabelSelector{}, "cashier"), true},
		"invalid selector":               {newIdentity("orders").AdmittingSelected(teamIs("Likes"), "*"), false},
		"second admission":               {newIdentity("orders").Admitting("bank", "*").Admitting("shop", "cashier"), true},
		"halves of two admissions":       {newIdentity("orders").Admitting("shop", "manager").Admitting("bank", "cashier"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Admits(test.identity.ManagedIdentity, cashier()); got != test.want {
				t.Errorf("admitted: %t", got)
			}
		})
	}
}

func teamIs(operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: operator, Values: values}}}
}

func both(labels, expressions metav1.LabelSelector) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: labels.MatchLabels, MatchExpressions: expressions.MatchExpressions}
}

// An annotation may have thousands of names in it.
func TestParsedNamesAreBounded(t *testing.T) {
	t.Parallel()
	var value strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&value, "%d,", i)
	}
	if got := len(ParseNames(value.String())); got != MaxIdentities+1 {
		t.Errorf("%d names are parsed", got)
	}
	decided := decide(cashier().asking(value.String()), lookup(), nil)
	if len(decided.Refusals) != 1 || decided.Refusals[0].Reason != ReasonTooMany {
		t.Errorf("refusals = %+v", decided.Refusals)
	}
}
