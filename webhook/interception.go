package webhook

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
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
	return slices.ContainsFunc(ownContainers(pod), func(container corev1.Container) bool {
		return slices.ContainsFunc(container.Ports, func(declared corev1.ContainerPort) bool {
			return declared.ContainerPort == port && (declared.Protocol == "" || declared.Protocol == corev1.ProtocolTCP)
		})
	})
}
