package webhook

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestIdentitiesAreValidated(t *testing.T) {
	t.Parallel()
	selecting := func(operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: operator, Values: values}}}
	}
	for name, test := range map[string]struct {
		identity build.Identity
		warnings admission.Warnings
		fails    string
	}{
		"admits no pod": {identity: build.NewIdentity("orders"),
			warnings: admission.Warnings{"spec.assumableBy is empty: no pod can assume this identity yet"}},
		"admits by name":     {identity: build.NewIdentity("orders").Admitting("shop", "*")},
		"admits by selector": {identity: build.NewIdentity("orders").AdmittingSelected(selecting("In", "retail"), "*")},
		"admits all":         {identity: build.NewIdentity("orders").AdmittingSelected(metav1.LabelSelector{}, "*")},
		"unknown operator": {identity: build.NewIdentity("orders").Admitting("shop", "*").AdmittingSelected(selecting("Likes"), "*"),
			fails: "spec.assumableBy[1].namespaceSelector"},
		"In without values": {identity: build.NewIdentity("orders").AdmittingSelected(selecting("In"), "*"),
			fails: "spec.assumableBy[0].namespaceSelector"},
		"invalid label": {identity: build.NewIdentity("orders").AdmittingSelected(metav1.LabelSelector{MatchLabels: map[string]string{"team": "not a label"}}, "*"),
			fails: "spec.assumableBy[0].namespaceSelector"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created, createErr := identityValidator{}.ValidateCreate(t.Context(), test.identity.ManagedIdentity)
			updated, updateErr := identityValidator{}.ValidateUpdate(t.Context(), build.NewIdentity("orders").ManagedIdentity, test.identity.ManagedIdentity)
			for _, err := range []error{createErr, updateErr} {
				if (err != nil) != (test.fails != "") || err != nil && !strings.HasPrefix(err.Error(), test.fails) {
					t.Errorf("got error %v", err)
				}
			}
			for _, warnings := range []admission.Warnings{created, updated} {
				if diff := cmp.Diff(test.warnings, warnings); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestBindingsAreValidated(t *testing.T) {
	t.Parallel()
	binding := build.NewBinding("shop", "b").Of("*").To("orders", "unknown").IdentityBinding
	there := bindingValidator{reader(t, shop()...)}
	away := bindingValidator{failing(t, "ManagedIdentity")}
	created, createErr := there.ValidateCreate(t.Context(), binding)
	updated, updateErr := there.ValidateUpdate(t.Context(), binding, binding)
	unread, unreadErr := away.ValidateCreate(t.Context(), binding)
	if err := errors.Join(createErr, updateErr, unreadErr); err != nil {
		t.Errorf("a binding is refused: %v", err)
	}
	want := admission.Warnings{`ManagedIdentity "unknown" does not exist yet`}
	for _, warnings := range []admission.Warnings{created, updated} {
		if diff := cmp.Diff(want, warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	}
	if len(unread) != 0 {
		t.Errorf("an unreadable identity is reported as missing: %v", unread)
	}
}
