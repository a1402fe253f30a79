package webhook

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// imdsPort is the port of IMDS.
const imdsPort = 80

// portSysctl is the lowest port on which any user may listen.
const portSysctl = "net.ipv4.ip_unprivileged_port_start"

// denyPort80 denies a pod that wants port 80 for itself, or that reserves it for root.
func denyPort80(pod *corev1.Pod) *denial {
	if declares(pod, imdsPort) {
		return &denial{"PortTaken", "a container of the pod declares port 80, which the sidecar needs in this cluster: have the container listen on " +
			"another port, or install kube-imds with sidecar.interception=redirect; or " + decline}
	}
	value, found := sysctlOf(pod)
	if !found {
		return nil
	}
	if start, err := strconv.Atoi(value); err == nil && start <= imdsPort {
		return nil
	}
	return &denial{"Sysctl", fmt.Sprintf("the pod sets the sysctl %s to %q, which keeps the sidecar from port 80: set it to 80 or less, or remove it",
		portSysctl, value)}
}

// warnPort80 warns that the pod does not have port 80, whether it declares it or not.
func warnPort80(pod *corev1.Pod) string {
	warning := "the sidecar uses port 80 in this cluster (sidecar.interception=address): " +
		"a process that listens on port 80 of every address, as web servers do, gets \"address already in use\""
	if _, chosen := pod.Annotations[v1alpha1.PortAnnotation]; chosen {
		warning += "; the annotation " + v1alpha1.PortAnnotation + " changes nothing"
	}
	return warning
}

// addSysctl lets the sidecar listen on port 80 without a capability. It keeps a value of the pod's own that does so too.
func (p plan) addSysctl(pod map[string]any) error {
	if _, found := sysctlOf(p.pod); found || p.options.Interception != Address {
		return nil
	}
	return editList(pod, func(existing []any) ([]any, error) {
		own, err := generic(corev1.Sysctl{Name: portSysctl, Value: "0"})
		return append(existing, own...), err
	}, "spec", "securityContext", "sysctls")
}

func sysctlOf(pod *corev1.Pod) (string, bool) {
	if pod.Spec.SecurityContext == nil {
		return "", false
	}
	for _, sysctl := range pod.Spec.SecurityContext.Sysctls {
		// Kubernetes accepts both forms of the name.
		if strings.ReplaceAll(sysctl.Name, "/", ".") == portSysctl {
			return sysctl.Value, true
		}
	}
	return "", false
}
