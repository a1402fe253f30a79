package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// testStolenTokenIsOfNoUse sends a pod's token to its own issuer from another address.
func testStolenTokenIsOfNoUse(t *testing.T, c *cluster) {
	home, den := c.namespace(t), c.namespace(t)
	identity := c.identity(t, home+"-victim", home)
	victim := c.start(t, newProbePod(c, home, "victim", "wait").withIdentity(identity.Name).onNode(c.nodes[0]))
	c.granted(t, victim, "https://vault.azure.net")
	stolen := c.serviceAccountToken(t, victim, issuerapi.Audience)

	for name, node := range map[string]string{"from another namespace": c.nodes[0], "from another node": c.nodes[1]} {
		t.Run(name, func(t *testing.T) {
			thief := c.start(t, newProbePod(c, den, "thief-"+node, "wait").onNode(node).trusting(c.authorities(t)))
			if a := c.askIssuer(t, thief, c.nodes[0], bearer(stolen)); a.Status != 403 {
				t.Errorf("got %d %s", a.Status, a.Error)
			}
			c.wantInAuditLog(t, c.nodes[0], `"reason":"OtherAddress"`, `"source":"`+thief.Status.PodIP+`"`, string(victim.UID))
		})
	}
	t.Run("a token for a day", func(t *testing.T) {
		asking := c.start(t, newProbePod(c, home, "asking", "wait").onNode(c.nodes[0]).trusting(c.authorities(t)))
		request, err := c.kube.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{
				Audiences: []string{issuerapi.Audience}, ExpirationSeconds: new(int64(24 * 3600)),
				BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: asking.Name, UID: asking.UID},
			},
		}, metav1.CreateOptions{})
		must(t, err, "request a token for a day")
		if a := c.askIssuer(t, asking, c.nodes[0], bearer(request.Status.Token)); a.Status != 401 {
			t.Errorf("got %d %s", a.Status, a.Error)
		}
	})
}

// testHostNetworkPodIsRefused sends the issuer a request from a pod in its node's network that got past the webhook.
func testHostNetworkPodIsRefused(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-host", home)
	pod := newProbePod(c, home, "host", "wait").onNode(c.nodes[0]).withIssuerToken().trusting(c.authorities(t))
	pod.Spec.HostNetwork = true
	started := c.start(t, pod)
	before := started.DeepCopy()
	metav1.SetMetaDataAnnotation(&started.ObjectMeta, v1alpha1.IdentityAnnotation, identity.Name)
	must(t, c.Patch(t.Context(), started, client.MergeFrom(before)), "annotate the pod")
	if a := c.askIssuer(t, started, c.nodes[0], []string{"--bearer-file", issuerTokenFile}); a.Status != 403 {
		t.Errorf("got %d %s", a.Status, a.Error)
	}
	c.wantInAuditLog(t, c.nodes[0], `"reason":"HostNetwork"`, string(started.UID))
}

// testFloodLeavesTheIssuerAlone opens as many connections as an attack that killed issuers did.
func testFloodLeavesTheIssuerAlone(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-quiet", home)
	quiet := c.start(t, newProbePod(c, home, "quiet", "wait").withIdentity(identity.Name).onNode(c.nodes[0]))
	attacker := c.start(t, newProbePod(c, home, "attacker", "wait").onNode(c.nodes[0]))
	issuer := c.issuerPod(t, c.nodes[0])
	c.watchWhile(t, quiet, func() {
		output, err := c.exec(t.Context(), attacker, "flood", "--address", issuer.Status.PodIP+":8443", "--connections", "6000")
		must(t, err, "flood the issuer")
		if open, err := strconv.Atoi(strings.TrimSpace(output)); err != nil || open > 16 {
			t.Errorf("%s of 6000 connections stay open", output)
		}
	})
	c.granted(t, quiet, "https://flood.example")
	var after corev1.Pod
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(issuer), &after), "read the issuer's pod")
	for _, status := range after.Status.ContainerStatuses {
		if status.RestartCount != issuer.Status.ContainerStatuses[0].RestartCount {
			t.Errorf("the issuer was restarted: %+v", status)
		}
	}
}

// testIMDSIsAskedByItsOwnNames sends requests like a web page with DNS rebinding.
func testIMDSIsAskedByItsOwnNames(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-page", home)
	pod := c.start(t, newProbePod(c, home, "page", "wait").withIdentity(identity.Name))
	const target = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
	for name, ask := range map[string]struct {
		host   string
		header string
		want   int
	}{
		"as an SDK":           {"169.254.169.254", "Accept: */*", 200},
		"by another name":     {"rebound.example", "Accept: */*", 400},
		"from a page":         {"169.254.169.254", "Origin: http://evil.example", 400},
		"through a proxy":     {"169.254.169.254", "Via: 1.1 proxy", 400},
		"as Node's own fetch": {"169.254.169.254", "Sec-Fetch-Mode: cors", 200},
	} {
		a, err := c.get(t.Context(), pod, "--dial", "169.254.169.254:80", "--header", "Metadata: true", "--header", ask.header, "http://"+ask.host+target)
		must(t, err, "send IMDS a request")
		if a.Status != ask.want {
			t.Errorf("%s: the answer is %d %s, want %d", name, a.Status, a.Error, ask.want)
		}
	}
}

// wantInAuditLog waits for a line in the audit log of a node's issuer that contains all parts.
func (c *cluster) wantInAuditLog(t *testing.T, node string, parts ...string) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("the issuer logs %q", parts), func(context.Context) error {
		return c.inAuditLog(t, node, parts...)
	})
}

// inAuditLog returns nil if the audit log of a node's issuer has a line that contains all parts.
func (c *cluster) inAuditLog(t *testing.T, node string, parts ...string) error {
	t.Helper()
	issuer := c.issuerPod(t, node)
	for line := range strings.Lines(c.logs(t, issuer.Namespace, issuer.Name, "issuer")) {
		if containsAll(line, parts) {
			return nil
		}
	}
	return fmt.Errorf("no line contains all of %q", parts)
}

func containsAll(line string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(line, part) {
			return false
		}
	}
	return true
}
