package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// testAddressInterception installs the mode for nodes without nf_tables: sidecars listen on 169.254.169.254 itself. It
// checks the restrictions for pods, and that they are reported.
func testAddressInterception(t *testing.T, c *cluster) {
	c.installChart(t, "sidecar.interception=address")
	defer c.installChart(t)
	home := c.namespace(t)
	identity := c.identity(t, home+"-address", home)

	web := newProbePod(c, home, "web", "wait").withIdentity(identity.Name)
	web.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}}
	if err := c.Create(t.Context(), web.Pod); err == nil || !strings.Contains(err.Error(), "declares port 80, which the sidecar needs") {
		t.Errorf("got error %v, want a denial because of port 80", err)
	}

	pod := c.start(t, newProbePod(c, home, "other", "wait").withIdentity(identity.Name))
	c.granted(t, pod, "https://vault.azure.net")
	if output, err := c.exec(t.Context(), pod, "listen", "0.0.0.0:80"); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("port 80 is not IMDS's: got %q, error %v", output, err)
	}
}
