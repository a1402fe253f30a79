package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// The cost of a change follows what it concerns: a label that no selector mentions concerns nothing, and one that a selector mentions only
// the identities that this namespace asks for. The test is not parallel, because it counts reconciles.
func TestLabelsConcernOnlyWhatDependsOnThem(t *testing.T) {
	s := start(t)
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "labelled-", Labels: map[string]string{"concerns": "nobody"}}}
	s.create(t, home)
	selector := metav1.LabelSelector{MatchLabels: map[string]string{"concerns": "some"}}
	s.create(t, build.NewIdentity("concerned").AdmittingSelected(selector, "*").ManagedIdentity,
		build.NewIdentity("asked-by-nobody").AdmittingSelected(selector, "*").ManagedIdentity,
		build.NewIdentity("by-name").Admitting(home.Name, "*").ManagedIdentity,
		build.NewBinding(home.Name, "default").Of("default").To("concerned", "by-name").IdentityBinding)
	s.controller.untilIdle(t, s.work(t))

	reconciled := func(name string) float64 {
		return s.controller.scrape(t).Sum("controller_runtime_reconcile_total", `controller="`+name+`"`)
	}
	identities, bindings := reconciled("managedidentity"), reconciled("identitybinding")
	s.label(t, home, "other", "changed")
	s.label(t, home, "concerns", "some")
	until(t, "the identity and its binding are looked at", func() bool {
		return reconciled("managedidentity") > identities && reconciled("identitybinding") > bindings
	})
	s.controller.untilIdle(t, nil)
	if got := reconciled("managedidentity") - identities; got > 1 {
		t.Errorf("%v identities were looked at", got)
	}
	if got := reconciled("identitybinding") - bindings; got > 2 {
		t.Errorf("%v bindings were looked at", got)
	}
}

func (s *system) label(t *testing.T, namespace *corev1.Namespace, name, value string) {
	t.Helper()
	namespace.Labels[name] = value
	if err := s.Update(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
}
