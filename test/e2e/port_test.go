package e2e

import (
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// sidecarPort is the sidecar's default port.
const sidecarPort = "15780"

// testPortIsChosen runs an application that needs the sidecar's port: it is denied with the way out, and with
// that it has its port and gets tokens.
func testPortIsChosen(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	server := goServer("0.0.0.0:" + sidecarPort)
	pod := newProbePod(c, home, "orders", "wait").withIdentity(identity.Name).serving(c, server)

	err := c.Create(t.Context(), pod.DeepCopy())
	if err == nil || !strings.Contains(err.Error(), v1alpha1.PortAnnotation) || !strings.Contains(err.Error(), sidecarPort) {
		t.Fatalf("got error %[2]v, want a denial that names the port and the annotation %[1]s", v1alpha1.PortAnnotation, err)
	}

	pod.Annotations[v1alpha1.PortAnnotation] = "15999"
	running := c.start(t, pod)
	c.serves(t, running, "127.0.0.1:"+sidecarPort, server)
	c.servesIMDS(t, running)
}
