package webhook

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestDeniedPorts(t *testing.T) {
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
		"default port":     {newPod("orders", withPort(15780, corev1.ProtocolTCP)), taken},
		"default protocol": {newPod("orders", withPort(15780, "")), taken},
		"init container":   {newPod("orders", withInitContainer("web"), withInitPort(15780)), taken},
		"annotation's port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "8080"), withPort(8080, "")),
			"kube-imds: a container of the pod declares port 8080, which is the sidecar's: " +
				"choose another port for the sidecar with the annotation kube-imds.io/port"},
		"privileged port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "1023")), noPort("1023")},
		"port too high":   {newPod("orders", annotated(v1alpha1.PortAnnotation, "65536")), noPort("65536")},
		"a negative port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "-15780")), noPort("-15780")},
		"not a number":    {newPod("orders", annotated(v1alpha1.PortAnnotation, "http")), noPort("http")},
		"empty":           {newPod("orders", annotated(v1alpha1.PortAnnotation, "")), noPort("")},
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
		"default port": {newPod("orders"), []string{"--redirect-to=15780", "--listen=127.0.0.1:15780"}},
		"annotation's port": {newPod("orders", annotated(v1alpha1.PortAnnotation, "1024"), withPort(15780, "")),
			[]string{"--redirect-to=1024", "--listen=127.0.0.1:1024"}},
		"application uses port 80": {newPod("orders", withPort(80, "")), []string{"--redirect-to=15780", "--listen=127.0.0.1:15780"}},
		"application uses UDP": {newPod("orders", withPort(15780, corev1.ProtocolUDP)),
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
				t.Errorf("arguments of net-init and sidecar (-want +got):\n%s", diff)
			}
			if _, found := sysctlOf(pod); found {
				t.Error("the pod's own processes got more rights")
			}
		})
	}
}

func TestInterceptionFlag(t *testing.T) {
	t.Parallel()
	for value, known := range map[string]bool{"redirect": true, "address": true, "": false, "Redirect": false, "nftables": false} {
		var read Interception
		if err := read.Set(value); (err == nil) != known || known && read.String() != value {
			t.Errorf("%q: got %q, error %v", value, read, err)
		}
	}
}

func newAddressMutator(t *testing.T) *mutator {
	t.Helper()
	m := newMutator(t, shop()...)
	m.options.Interception = Address
	return m
}

func TestDeniedByAddress(t *testing.T) {
	t.Parallel()
	const taken = "kube-imds: a container of the pod declares port 80, which the sidecar needs in this cluster: have the container listen on " +
		"another port, or install kube-imds with sidecar.interception=redirect; " +
		`or decline with the annotation kube-imds.io/inject: "false"`
	m := newAddressMutator(t)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"container with port 80":      {newPod("orders", withPort(80, corev1.ProtocolTCP)), taken},
		"default protocol":            {newPod("orders", withPort(80, "")), taken},
		"init container with port 80": {newPod("orders", withInitContainer("web"), withInitPort(80)), taken},
		"sysctl reserves port 80": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "1024")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "1024", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"sysctl reserves just port 80": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "81")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "81", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"sysctl with slashes": {newPod("orders", withSysctl("net/ipv4/ip_unprivileged_port_start", "1024")),
			`kube-imds: the pod sets the sysctl net.ipv4.ip_unprivileged_port_start to "1024", which keeps the sidecar from port 80: ` +
				`set it to 80 or less, or remove it`},
		"sysctl is not a number": {newPod("orders", withSysctl("net.ipv4.ip_unprivileged_port_start", "low")),
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
		"no declared port":           {newPod("orders"), "gets \"address already in use\""},
		"UDP only":                   {newPod("orders", withPort(80, corev1.ProtocolUDP)), "port 80"},
		"sysctl that allows port 80": {newPod("orders", withSysctl(portSysctl, "80")), "port 80"},
		"annotation without effect":  {newPod("orders", annotated(v1alpha1.PortAnnotation, "none")), "kube-imds.io/port changes nothing"},
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
