package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// meshProxy is the user of the proxy, whose own connections are not redirected, and meshRules are a service mesh's: the
// proxy gets every other outbound connection of the pod.
const (
	meshProxy = 1337
	meshRules = `
/usr/sbin/iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner 1337 -j RETURN
/usr/sbin/iptables -t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 15001`
)

// testMeshLeavesIMDSAlone puts a service mesh's rules and proxy into a pod, as istio does. They are written after those
// of net-init, which is the first of all init containers; rules that are written before there cannot be.
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
	// What verifies the token is fetched from another pod, by way of the proxy.
	checkClaims(t, c.verify(t, pod, c.token(t, pod, "https://vault.azure.net")), identity, "https://vault.azure.net")

	var oidc corev1.Service
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "kube-imds-oidc"}, &oidc), "read the OIDC server's Service")
	passed := c.logs(t, home, pod.Name, "proxy")
	if !strings.Contains(passed, "to "+oidc.Spec.ClusterIP+":443\n") {
		t.Errorf("the rules redirect nothing, so they show nothing. The proxy passed on:\n%s", passed)
	}
	if strings.Contains(passed, "169.254.169.254") || strings.Contains(passed, "127.0.0.1") {
		t.Errorf("requests to IMDS went by way of the proxy, which passed on:\n%s", passed)
	}
}
