package webhook

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

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
