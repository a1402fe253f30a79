package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// outage is how long the API server is away: long enough for many requests.
const outage = 15 * time.Second

// testAPIServerStopped stops the API server while a pod keeps requesting tokens for new resources.
func testAPIServerStopped(t *testing.T, c *cluster) {
	stop, start := os.Getenv("E2E_STOP_APISERVER"), os.Getenv("E2E_START_APISERVER")
	if stop == "" || start == "" {
		t.Skip("E2E_STOP_APISERVER and E2E_START_APISERVER are not set: `make test-e2e` sets them to commands that stop and start the API server")
	}
	pod := c.startAsking(t, "asks-without-api-server")
	runShell(t, stop)
	stopped := time.Now()
	<-time.After(outage)
	back := time.Now()
	runShell(t, start)
	c.waitWebhook(t)

	var asked, granted int
	for _, line := range c.requestLines(t, pod) {
		if line.Time.After(stopped) && line.Time.Before(back) {
			asked++
			if line.Status == 200 {
				granted++
			}
		}
	}
	if asked == 0 || granted != asked {
		t.Errorf("while the API server was stopped for %s, %d of %d requests were granted", outage, granted, asked)
	}
}

// waitWebhook waits until all replicas of the webhook answer again: after an outage of the API server the leader restarts,
// and for a while the API server may still call its former address, and kube-proxy may refuse a replica's requests to the API
// server. The reviews are of a new namespace, which no replica has cached.
func (c *cluster) waitWebhook(t *testing.T) {
	t.Helper()
	probe := newProbePod(c, c.namespace(t), "webhook-probe", "wait")
	probe.Annotations[v1alpha1.InjectAnnotation] = "true"
	eventually(t, 2*time.Minute, "the webhook answers ten times in a row", func(ctx context.Context) error {
		for range 10 {
			if err := c.Create(ctx, probe.DeepCopy(), client.DryRunAll); err != nil {
				return err
			}
		}
		return nil
	})
}

// testIssuerRestarted restarts all issuers while a pod keeps sending requests.
func testIssuerRestarted(t *testing.T, c *cluster) {
	pod := c.startAsking(t, "asks-through-restart")
	before := c.token(t, pod, "https://vault.azure.net")
	c.patchIssuer(t, fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"restarted-at":%q}}}}}`, time.Now().Format(time.RFC3339)))
	c.waitIssuers(t)
	after := time.Now()
	eventually(t, time.Minute, "the pod is granted tokens by the new issuer", func(context.Context) error {
		lines := c.requestLines(t, pod)
		if last := lines[len(lines)-1]; last.Status != 200 || last.Time.Before(after) {
			return fmt.Errorf("last response = %+v", last)
		}
		return nil
	})
	for _, line := range c.requestLines(t, pod) {
		if line.Status != 200 && line.Status != 429 && line.Status != 503 {
			t.Errorf("a response that Azure SDKs do not retry: %+v", line)
		}
	}
	c.verify(t, pod, before)
}

// testIssuerStopped stops all issuers: sidecars serve cached tokens, and refuse others
// so that Azure SDKs retry (clients.md, points 22 and 23).
func testIssuerStopped(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-patient", home)
	pod := c.start(t, newProbePod(c, home, "patient", "wait").withIdentity(identity.Name))
	c.granted(t, pod, "https://cached.example")

	c.patchIssuer(t, `{"spec":{"template":{"spec":{"nodeSelector":{"kube-imds.io/e2e":"nowhere"}}}}}`)
	eventually(t, 2*time.Minute, "no issuer runs", func(ctx context.Context) error {
		var pods corev1.PodList
		err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "issuer"})
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("got %d", len(pods.Items))
		}
		return err
	})
	cached, err := c.askIMDS(t.Context(), pod, "https://cached.example")
	must(t, err, "request the cached token")
	if cached.Status != 200 {
		t.Errorf("cached token is not served: %+v", cached)
	}
	fresh, err := c.askIMDS(t.Context(), pod, "https://fresh.example")
	must(t, err, "request a token that is not cached")
	wait, err := strconv.Atoi(fresh.Headers.Get("Retry-After"))
	if fresh.Status != 503 || err != nil || wait > 25 {
		t.Errorf("got %+v, want 503 and a Retry-After of at most 25 s", fresh)
	}

	c.patchIssuer(t, `{"spec":{"template":{"spec":{"nodeSelector":{"kube-imds.io/e2e":null}}}}}`)
	c.waitIssuers(t)
	c.granted(t, pod, "https://fresh.example")
}

// startAsking starts a pod that requests a token for a new resource four times a second, and waits for the first response.
func (c *cluster) startAsking(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	home := c.namespace(t)
	identity := c.identity(t, home+"-"+name, home)
	pod := c.start(t, newProbePod(c, home, name, "requests").withIdentity(identity.Name).
		onNode(c.nodes[0]).trusting(c.authorities(t)))
	c.granted(t, pod, "https://vault.azure.net")
	return pod
}

// requestLine is a line of the probe's requests.
type requestLine struct {
	Time     time.Time
	Resource string
	Status   int
	Server   string
	Error    string
}

func (c *cluster) requestLines(t *testing.T, pod *corev1.Pod) []requestLine {
	t.Helper()
	var lines []requestLine
	scanner := bufio.NewScanner(strings.NewReader(c.logs(t, pod.Namespace, pod.Name, "probe")))
	for scanner.Scan() {
		var line requestLine
		must(t, json.Unmarshal(scanner.Bytes(), &line), "read the line %q", scanner.Text())
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		t.Fatalf("pod %s has sent no request yet", pod.Name)
	}
	return lines
}

func (c *cluster) patchIssuer(t *testing.T, patch string) {
	t.Helper()
	must(t, c.Patch(t.Context(), c.issuerDaemonSet(t), client.RawPatch("application/merge-patch+json", []byte(patch))), "patch the issuer")
}

// waitIssuers waits until the DaemonSet is ready on all nodes.
func (c *cluster) waitIssuers(t *testing.T) {
	t.Helper()
	eventually(t, 3*time.Minute, "every issuer is ready", func(context.Context) error {
		set := c.issuerDaemonSet(t)
		status := set.Status
		if status.ObservedGeneration != set.Generation || status.DesiredNumberScheduled == 0 ||
			status.UpdatedNumberScheduled != status.DesiredNumberScheduled || status.NumberAvailable != status.DesiredNumberScheduled {
			return fmt.Errorf("status = %+v", status)
		}
		return nil
	})
}

func (c *cluster) issuerDaemonSet(t *testing.T) *appsv1.DaemonSet {
	t.Helper()
	set := &appsv1.DaemonSet{}
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: issuer}, set), "read the issuer's DaemonSet")
	return set
}

func runShell(t *testing.T, command string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
	must(t, err, "%s: %s", command, output)
}
