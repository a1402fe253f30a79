package webhook

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func newAddressMutator(t *testing.T) *mutator {
	t.Helper()
	m := newMutator(t, shop()...)
	m.options.Interception = Address
	return m
}

func TestDenialsByAddress(t *testing.T) {
	t.Parallel()
	const taken = "kube-imds: a container of the pod declares port 80, which the sidecar needs in this cluster: have the container listen on " +
		"another port, or install kube-imds with sidecar.interception=redirect; " +
		`or decline with the annotation kube-imds.io/inject: "false"`
	m := newAddressMutator(t)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"a container with port 80":       {newPod("orders", withPort(80, corev1.ProtocolTCP)), taken},
		"by the default protocol":        {newPod("orders", withPort(80, "")), taken},
		"an init container with port 80": {newPod("orders", withInitContainer("web"), withInitPort(80)), taken},
		"port 80 is kept from users": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "1024")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "1024", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"port 80 is kept from users, just": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "81")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "81", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"port 80 is kept from users, with slashes": {newPod("orders", withSysctl("net/ipv4/ip_unprivileged_port_start", "1024")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "1024", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"port 80 is kept from users, by no number": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "low")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "low", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkDenied(t, m, test.pod, test.want)
		})
	}
}

func TestAdmittedByAddress(t *testing.T) {
	t.Parallel()
	m := newAddressMutator(t)
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		warning string
	}{
		"port 80 is not declared":      {newPod("orders"), "gets \"address already in use\""},
		"UDP alone":                    {newPod("orders", withPort(80, corev1.ProtocolUDP)), "port 80"},
		"a sysctl that leaves port 80": {newPod("orders", withSysctl(portSysctl, "80")), "port 80"},
		"an annotation without effect": {newPod("orders", annotated(v1alpha1.PortAnnotation, "none")), "kube-imds.io/port changes nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := admit(t, m, test.pod)
			if !response.Allowed || len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], test.warning) {
				t.Errorf("allowed: %t, warnings: %q", response.Allowed, response.Warnings)
			}
		})
	}
}
