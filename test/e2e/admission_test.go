package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testAdmission uses an identity that first does not admit a pod's ServiceAccount, then does, and then no longer does.
func testAdmission(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-closed")
	pod := newProbePod(c, home, "asks", "wait").withIdentity(identity.Name)

	err := c.Create(t.Context(), pod.DeepCopy())
	if reason := `does not admit the ServiceAccount "default" of namespace "` + home + `"`; err == nil || !strings.Contains(err.Error(), reason) {
		t.Fatalf("got error %[2]v, want a denial with reason %[1]q", reason, err)
	}

	c.admit(t, identity, v1alpha1.Admission{Namespaces: []string{home}, ServiceAccounts: []string{"default"}})
	eventually(t, 30*time.Second, "the pod is admitted", func(ctx context.Context) error {
		return c.Create(ctx, pod.Pod)
	})
	c.waitReady(t, pod.Pod)
	c.granted(t, pod.Pod, "https://vault.azure.net")

	c.admit(t, identity)
	attempt := 0
	eventually(t, 30*time.Second, "tokens are refused, asked for before or not", func(ctx context.Context) error {
		attempt++
		for _, resource := range []string{"https://vault.azure.net", fmt.Sprintf("https://new-%d.example", attempt)} {
			a, err := c.askIMDS(ctx, pod.Pod, resource)
			if err != nil {
				return err
			}
			if a.Status != 400 || !strings.Contains(a.Body, `"error":"invalid_request","error_description":"Identity not found"`) {
				return fmt.Errorf("response for %s = %+v", resource, a)
			}
		}
		return nil
	})
}

// admit replaces what an identity admits.
func (c *cluster) admit(t *testing.T, identity *v1alpha1.ManagedIdentity, admissions ...v1alpha1.Admission) {
	t.Helper()
	before := identity.DeepCopy()
	identity.Spec.AssumableBy = admissions
	must(t, c.Patch(t.Context(), identity, client.MergeFrom(before)), "change what %s admits", identity.Name)
}
