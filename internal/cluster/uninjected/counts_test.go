package uninjected

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var waiter = types.NamespacedName{Namespace: "shop", Name: "waiter"}

func TestChangesAreAnnounced(t *testing.T) {
	t.Parallel()
	var changed []string
	counts := &Counts{}
	counts.OnChange(func(account types.NamespacedName) { changed = append(changed, account.Name) })
	counts.Set(cashier, 0) // becomes known
	counts.Set(cashier, 0)
	if before := counts.Set(waiter, 2); before != 0 {
		t.Errorf("before = %d", before)
	}
	if before := counts.Set(waiter, 3); before != 2 {
		t.Errorf("before = %d", before)
	}
	counts.Forget(waiter)
	counts.Forget(waiter)
	if diff := cmp.Diff([]string{"cashier", "waiter", "waiter", "waiter"}, changed); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}

func TestReportNeedsEveryServiceAccount(t *testing.T) {
	t.Parallel()
	counts := &Counts{}
	both := []types.NamespacedName{cashier, waiter}
	counts.Set(cashier, 2)
	if report := counts.Report(both); report != nil {
		t.Errorf("report = %+v", report)
	}
	counts.Set(waiter, 0)
	if diff := cmp.Diff(&Report{2, []types.NamespacedName{cashier}}, counts.Report(both)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if condition := counts.Report(nil).Condition(3); condition.Status != metav1.ConditionTrue || condition.ObservedGeneration != 3 {
		t.Errorf("without ServiceAccounts: %+v", condition)
	}
	counts.Set(waiter, 1)
	condition := counts.Report(both).Condition(4)
	if condition.Status != metav1.ConditionFalse || condition.Reason != v1alpha1.ReasonNotInjected ||
		!strings.Contains(condition.Message, "3, of ServiceAccount shop/cashier and 1 more") {
		t.Errorf("condition = %+v", condition)
	}
}

func TestMetricSumsUp(t *testing.T) {
	t.Parallel()
	counts := &Counts{}
	counts.Set(cashier, 2)
	counts.Set(waiter, 3)
	if got := testutil.ToFloat64(counts); got != 5 {
		t.Errorf("metric = %v", got)
	}
}
