package webhook

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Interception is how requests to 169.254.169.254:80 reach the sidecar.
type Interception string

const (
	// Redirect has them redirected to a loopback port, by a rule in the pod's network namespace. Port 80 stays the
	// application's.
	Redirect Interception = "redirect"

	// Address has the sidecar listen on the address itself, for nodes whose kernel cannot redirect. Then no process of the
	// pod can listen on port 80 of every address.
	Address Interception = "address"
)

// Set reads a flag.
func (i *Interception) Set(value string) error {
	if known := []Interception{Redirect, Address}; !slices.Contains(known, Interception(value)) {
		return fmt.Errorf("it is %s or %s", Redirect, Address)
	}
	*i = Interception(value)
	return nil
}

// String is the flag's value.
func (i *Interception) String() string { return string(*i) }

// Type is what --help calls the value.
func (i *Interception) Type() string { return "way" }

// denyInterception refuses a pod that keeps the sidecar from where it listens.
func (o Options) denyInterception(pod *corev1.Pod) *denial {
	if o.Interception == Address {
		return denyPort80(pod)
	}
	return o.denyPort(pod)
}

// warnInterception tells of what the pod's own processes cannot do.
func (o Options) warnInterception(pod *corev1.Pod) string {
	if o.Interception == Address {
		return warnPort80(pod)
	}
	return ""
}

// declares reports whether a container of the pod's own declares a TCP port.
func declares(pod *corev1.Pod, port int32) bool {
	return slices.ContainsFunc(ownContainers(pod), func(container corev1.Container) bool {
		return slices.ContainsFunc(container.Ports, func(declared corev1.ContainerPort) bool {
			return declared.ContainerPort == port && (declared.Protocol == "" || declared.Protocol == corev1.ProtocolTCP)
		})
	})
}
