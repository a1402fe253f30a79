package webhook

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDenialsOfPorts(t *testing.T) {
	t.Parallel()
	const taken = "kube-imds: a container of the pod declares port 15780, which is the sidecar's: " +
		"choose another port for the sidecar with the annotation kube-imds.io/port"
	noPort := func(value string) string {
		return `kube-imds: the annotation kube-imds.io/port is "` + value + `": it must be a port from 1024 to 65535`
	}
	m := newMutator(t, shop()...)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"the usual port":          {newPod("orders", withPort(15780, corev1.ProtocolTCP)), taken},
		"by the default protocol": {newPod("orders", withPort(15780, "")), taken},
		"of an init container":    {newPod("orders", withInitContainer("web"), withInitPort(15780)), taken},
		"the annotation's port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "8080"), withPort(8080, "")),
			"kube-imds: a container of the pod declares port 8080, which is the sidecar's: " +
				"choose another port for the sidecar with the annotation kube-imds.io/port"},
		"a privileged port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "1023")), noPort("1023")},
		"no port so high":   {newPod("orders", annotated(v1alpha1.PortAnnotation, "65536")), noPort("65536")},
		"a negative port":   {newPod("orders", annotated(v1alpha1.PortAnnotation, "-15780")), noPort("-15780")},
		"no number":         {newPod("orders", annotated(v1alpha1.PortAnnotation, "http")), noPort("http")},
		"nothing":           {newPod("orders", annotated(v1alpha1.PortAnnotation, "")), noPort("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkDenied(t, m, test.pod, test.want)
		})
	}
}

// The rule and the sidecar must agree on the port.
func TestPorts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want []string
	}{
		"the usual port": {newPod("orders"), []string{"--redirect-to=15780", "--listen=127.0.0.1:15780"}},
		"the pod's choice": {newPod("orders", annotated(v1alpha1.PortAnnotation, "1024"), withPort(15780, "")),
			[]string{"--redirect-to=1024", "--listen=127.0.0.1:1024"}},
		"port 80 is the application's": {newPod("orders", withPort(80, "")), []string{"--redirect-to=15780", "--listen=127.0.0.1:15780"}},
		"UDP is another matter": {newPod("orders", withPort(15780, corev1.ProtocolUDP)),
			[]string{"--redirect-to=15780", "--listen=127.0.0.1:15780"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := injectedPod(t, newMutator(t, shop()...), test.pod)
			var got []string
			for _, name := range []string{netInitName, sidecarName} {
				i := slices.IndexFunc(pod.Spec.InitContainers, func(container corev1.Container) bool { return container.Name == name })
				got = append(got, pod.Spec.InitContainers[i].Args[1:]...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("where requests go, and where they are waited for (-want +got):\n%s", diff)
			}
			if _, found := sysctlOf(pod); found {
				t.Error("the pod's own processes may do more than before")
			}
		})
	}
}

func TestInterceptionIsOneOfTwo(t *testing.T) {
	t.Parallel()
	for value, known := range map[string]bool{"redirect": true, "address": true, "": false, "Redirect": false, "nftables": false} {
		var read Interception
		if err := read.Set(value); (err == nil) != known || known && read.String() != value {
			t.Errorf("%q is read as %q, %v", value, read, err)
		}
	}
}

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
