package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testConformance runs the conformance suite, test/conformance, in a pod against its IMDS. It uses
// HTTP only, and knows nothing about kube-imds.
func testConformance(t *testing.T, c *cluster) {
	home := c.namespace(t)
	first, second := c.identity(t, home+"-first", home), c.identity(t, home+"-second", home)
	status := second.Status
	suite := newProbePod(c, home, "conformance",
		"-url", "http://169.254.169.254", "-resource", "https://vault.azure.net",
		"-client-id", string(status.ClientID), "-object-id", string(status.PrincipalID), "-resource-id", status.ResourceID,
	).withIdentity(first.Name, second.Name)
	suite.Spec.Containers[0].Image = "kube-imds/conformance:" + c.version
	pod := suite.Pod
	c.create(t, pod)
	eventually(t, 5*time.Minute, "the conformance suite ends", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("phase %s: %s", pod.Status.Phase, containerStates(pod))
		}
		return nil
	})
	report := c.logs(t, home, pod.Name, "probe")
	if pod.Status.Phase != corev1.PodSucceeded {
		t.Fatalf("IMDS in a pod does not conform:\n%s", report)
	}
	t.Log(report)
}
