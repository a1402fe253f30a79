package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// meshProxy is the user of the proxy, whose connections are not redirected, and meshRules are a service mesh's rules: the
// proxy gets every other outbound connection of the pod.
const (
	meshProxy = 1337
	meshRules = `
/usr/sbin/iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner 1337 -j RETURN
/usr/sbin/iptables -t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 15001`
)

// testMeshLeavesIMDSAlone adds a service mesh's rules and proxy to a pod, like Istio. They are written after those
// of net-init, which is the first init container, so no rules can be written before.
func testMeshLeavesIMDSAlone(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-meshed", home)
	probe := newProbePod(c, home, "meshed", "wait").withIdentity(identity.Name).trusting(c.authorities(t))
	probe.Spec.InitContainers = []corev1.Container{{
		Name: "rules", Image: "kube-imds/web:" + c.version, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"/bin/sh", "-ec", meshRules},
		SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(0)),
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}},
	}}
	probe.Spec.Containers = append(probe.Spec.Containers, corev1.Container{
		Name: "proxy", Image: "kube-imds/probe:" + c.version, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{"proxy", "0.0.0.0:15001"}, SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(meshProxy))},
	})
	pod := c.start(t, probe)
	c.granted(t, pod, "https://vault.azure.net")
	// The keys that verify the token are fetched from another pod through the proxy.
	checkClaims(t, c.verify(t, pod, c.token(t, pod, "https://vault.azure.net")), identity, "https://vault.azure.net")

	var oidc corev1.Service
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "kube-imds-oidc"}, &oidc), "read the OIDC server's Service")
	passed := c.logs(t, home, pod.Name, "proxy")
	if !strings.Contains(passed, "to "+oidc.Spec.ClusterIP+":443\n") {
		t.Errorf("nothing was redirected, so this test shows nothing. The proxy forwarded:\n%s", passed)
	}
	if strings.Contains(passed, "169.254.169.254") || strings.Contains(passed, "127.0.0.1") {
		t.Errorf("requests to IMDS went through the proxy, which forwarded:\n%s", passed)
	}
}
