package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Interception is how requests to 169.254.169.254:80 reach the sidecar.
type Interception string

const (
	// Redirect redirects them to a loopback port by a rule in the pod's network namespace. Port 80 stays the application's.
	Redirect Interception = "redirect"

	// Address makes the sidecar listen on the address itself, for nodes whose kernel cannot redirect. Then no process of
	// the pod can listen on port 80 of all addresses.
	Address Interception = "address"
)

// Set parses a flag.
func (i *Interception) Set(value string) error {
	if known := []Interception{Redirect, Address}; !slices.Contains(known, Interception(value)) {
		return fmt.Errorf("it is %s or %s", Redirect, Address)
	}
	*i = Interception(value)
	return nil
}

// String returns the flag's value.
func (i *Interception) String() string { return string(*i) }

// Type returns the name of the value in --help.
func (i *Interception) Type() string { return "way" }

// denyInterception denies a pod that would keep the sidecar from listening.
func (o Options) denyInterception(pod *corev1.Pod) *denial {
	if o.Interception == Address {
		return denyPort80(pod)
	}
	return o.denyPort(pod)
}

// warnInterception warns about what the pod's own processes cannot do.
func (o Options) warnInterception(pod *corev1.Pod) string {
	if o.Interception == Address {
		return warnPort80(pod)
	}
	return ""
}

// declares reports whether one of the pod's own containers declares a TCP port.
func declares(pod *corev1.Pod, port int32) bool {
	for container := range ownContainers(pod) {
		if slices.ContainsFunc(container.Ports, func(declared corev1.ContainerPort) bool {
			return declared.ContainerPort == port && (declared.Protocol == "" || declared.Protocol == corev1.ProtocolTCP)
		}) {
			return true
		}
	}
	return false
}

// lowestPort is the lowest port on which a process without a capability can listen in every pod.
const lowestPort = 1024

// port returns the loopback port of the pod's sidecar: the pod's choice or the installation's.
func (o Options) port(pod *corev1.Pod) (int32, error) {
	value, chosen := pod.Annotations[v1alpha1.PortAnnotation]
	if !chosen {
		return o.SidecarPort, nil
	}
	port, err := strconv.ParseUint(value, 10, 16)
	if err != nil || port < lowestPort {
		return 0, fmt.Errorf("the annotation %s is %q: it must be a port from %d to 65535", v1alpha1.PortAnnotation, value, lowestPort)
	}
	return int32(port), nil
}

// port returns the sidecar's port. Pods with an invalid annotation were denied.
func (p plan) port() int32 {
	port, _ := p.options.port(p.pod)
	return port
}

// denyPort denies a pod that wants the sidecar's port for itself.
func (o Options) denyPort(pod *corev1.Pod) *denial {
	port, err := o.port(pod)
	if err != nil {
		return &denial{"Port", err.Error()}
	}
	if !declares(pod, port) {
		return nil
	}
	return &denial{"PortTaken", fmt.Sprintf("a container of the pod declares port %d, which is the sidecar's: "+
		"choose another port for the sidecar with the annotation %s", port, v1alpha1.PortAnnotation)}
}

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
func (p plan) addSysctl(made *patch) {
	if _, found := sysctlOf(p.pod); found || p.options.Interception != Address {
		return
	}
	sysctl := corev1.Sysctl{Name: portSysctl, Value: "0"}
	if p.pod.Spec.SecurityContext == nil {
		made.set("/spec/securityContext", corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{sysctl}})
		return
	}
	made.edit("/spec/securityContext/sysctls", listEdit{length: len(p.pod.Spec.SecurityContext.Sysctls), last: []any{sysctl}})
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
