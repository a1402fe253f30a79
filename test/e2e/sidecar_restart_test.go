package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testSidecarRestarts kills the sidecar of a pod whose application uses port 80: it restarts like one that
// starts after the application. Until then requests are refused at once: they neither reach the application nor
// hang.
func testSidecarRestarts(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	// The probe runs as the sidecar's user, so that it may kill the sidecar.
	probe := newProbePod(c, home, "orders", "requests", "--interval", "100ms").withIdentity(identity.Name).
		serving(c, goServer("0.0.0.0:80"))
	probe.Spec.ShareProcessNamespace = new(true)
	pod := c.start(t, probe)
	c.granted(t, pod, "https://vault.azure.net")

	_, err := c.exec(t.Context(), pod, "kill", "sidecar")
	must(t, err, "kill the sidecar")
	eventually(t, 2*time.Minute, "the sidecar has been restarted", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		status := pod.Status.InitContainerStatuses[slices.IndexFunc(pod.Status.InitContainerStatuses, isSidecar)]
		if status.RestartCount == 0 || status.Started == nil || !*status.Started {
			return fmt.Errorf("containers: %s", containerStates(pod))
		}
		return nil
	})
	back := time.Now()
	eventually(t, time.Minute, "the pod is granted tokens again", func(context.Context) error {
		lines := c.requestLines(t, pod)
		if last := lines[len(lines)-1]; last.Status != 200 || last.Time.Before(back) {
			return fmt.Errorf("last response = %+v", last)
		}
		return nil
	})
	c.serves(t, pod, "127.0.0.1", goServer("0.0.0.0:80"))
	checkRefused(t, c.requestLines(t, pod))
}

func isSidecar(status corev1.ContainerStatus) bool { return status.Name == "kube-imds" }

// checkRefused checks that requests were refused while the sidecar was away. The connection of a request in progress
// was closed.
func checkRefused(t *testing.T, lines []requestLine) {
	t.Helper()
	refused := 0
	for _, line := range lines {
		switch {
		case strings.Contains(line.Error, "connection refused"):
			refused++
		case strings.HasSuffix(line.Error, "EOF"), strings.Contains(line.Error, "connection reset"):
		case !strings.HasPrefix(line.Server, "IMDS/") || (line.Status != 200 && line.Status != 429 && line.Status != 503):
			t.Errorf("a request was neither served by IMDS nor refused: %+v", line)
		}
	}
	if refused == 0 {
		t.Errorf("none of %d requests was refused: the sidecar was never away", len(lines))
	}
}
