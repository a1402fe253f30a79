package controllers

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestDependents(t *testing.T) {
	t.Parallel()
	kinds, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	exists := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "stage", Operator: metav1.LabelSelectorOpExists}}}
	team := metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	cached := fake.NewClientBuilder().WithScheme(kinds).WithIndex(&v1alpha1.ManagedIdentity{}, labelIndex, selectedLabels).WithObjects(
		build.NewIdentity("by-name").Admitting("shop", "*").ManagedIdentity,
		build.NewIdentity("by-team").AdmittingSelected(team, "*").ManagedIdentity,
		build.NewIdentity("by-both").AdmittingSelected(exists, "*").AdmittingSelected(team, "*").ManagedIdentity,
	).Build()
	for name, test := range map[string]struct{ changed, want []string }{
		"nothing":            {nil, nil},
		"not mentioned":      {[]string{"other"}, nil},
		"a label":            {[]string{"team"}, []string{"by-team", "by-both"}},
		"an expression":      {[]string{"stage", "other"}, []string{"by-both"}},
		"labels are cut off": {[]string{grant.LabelsCut, "stage"}, []string{"by-name", "by-team", "by-both"}},
	} {
		depends, err := labelChanges{cached}.dependents(t.Context(), test.changed)
		if err != nil {
			t.Fatal(err)
		}
		if (depends == nil) != (test.want == nil) {
			t.Errorf("%s: some depend: %t", name, depends != nil)
			continue
		}
		for _, identity := range []string{"by-name", "by-team", "by-both"} {
			if depends != nil && depends(identity) != slices.Contains(test.want, identity) {
				t.Errorf("%s: %s depends: %t", name, identity, depends(identity))
			}
		}
	}
}

func TestDiffering(t *testing.T) {
	t.Parallel()
	got := differing(map[string]string{"same": "1", "changed": "1", "removed": ""}, map[string]string{"same": "1", "changed": "2", "added": ""})
	slices.Sort(got)
	if !slices.Equal(got, []string{"added", "changed", "removed"}) {
		t.Errorf("got %v", got)
	}
}
