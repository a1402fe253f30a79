package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testUninjectedPodsAreCounted annotates a ServiceAccount whose pod runs already, and so gets nothing: the identity says it, until the
// pod has gone.
func testUninjectedPodsAreCounted(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-late", home)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "late"}}
	c.create(t, account)
	probe := newProbePod(c, home, "late", "wait")
	probe.Spec.ServiceAccountName = account.Name
	pod := c.start(t, probe)

	before := client.MergeFrom(account.DeepCopy())
	account.Annotations = map[string]string{v1alpha1.IdentityAnnotation: identity.Name}
	must(t, c.Patch(t.Context(), account, before), "annotate the ServiceAccount")
	await := func(want int32, part string) {
		t.Helper()
		eventually(t, 3*time.Minute, fmt.Sprintf("the identity counts %d pods without IMDS", want), func(ctx context.Context) error {
			if err := c.Get(ctx, client.ObjectKeyFromObject(identity), identity); err != nil {
				return err
			}
			status := &identity.Status
			condition := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPodsInjected)
			if status.UninjectedPods == nil || *status.UninjectedPods != want || condition == nil || !strings.Contains(condition.Message, part) {
				return fmt.Errorf("status = %+v", status)
			}
			return nil
		})
	}
	await(1, "ServiceAccount "+home+"/late")
	must(t, c.Delete(t.Context(), pod), "delete the pod")
	await(0, "no running pod")
}
