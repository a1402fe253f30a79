package slim

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// The bounds of lists. No real pod has as many entries, but the API server sets no bound.
const (
	maxPorts       = 256
	maxTolerations = 256
	maxFrontends   = 64
	maxSelector    = 4 << 10 // bytes
)

// Subject keeps what a grant depends on, and the node.
func Subject(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return subject(pod), nil
}

func subject(pod *corev1.Pod) *corev1.Pod {
	slim := &corev1.Pod{
		TypeMeta: pod.TypeMeta, ObjectMeta: identifying(pod.ObjectMeta),
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, ServiceAccountName: pod.Spec.ServiceAccountName, HostNetwork: pod.Spec.HostNetwork,
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	slim.Annotations = GrantAnnotations(pod.Annotations)
	return slim
}

// Pod keeps what Subject keeps, and what instance metadata and scheduled events depend on.
func Pod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	slim := subject(pod)
	slim.Labels, slim.Annotations = firstLabels(pod.Labels), podAnnotations(pod.Annotations)
	slim.Spec.Hostname, slim.Spec.Containers, slim.Spec.Volumes = pod.Spec.Hostname, portsOf(pod.Spec.Containers), issuerToken(pod)
	slim.Spec.Tolerations = first(pod.Spec.Tolerations, maxTolerations)
	slim.Status.PodIPs, slim.Status.Conditions = pod.Status.PodIPs, disruptionOf(pod.Status.Conditions)
	return slim, nil
}

// podAnnotations keeps the annotations that a grant reads and the data for IMDS. It drops data larger than Azure allows.
func podAnnotations(annotations map[string]string) map[string]string {
	kept := GrantAnnotations(annotations)
	for _, name := range []string{v1alpha1.UserDataAnnotation, v1alpha1.CustomDataAnnotation} {
		if value, found := annotations[name]; found && len(value) <= maxData {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}

// disruptionOf keeps the condition that scheduled events depend on. The others change with every probe.
func disruptionOf(conditions []corev1.PodCondition) []corev1.PodCondition {
	for _, condition := range conditions {
		if condition.Type == corev1.DisruptionTarget {
			condition.Message = cut(condition.Message, maxMessage)
			return []corev1.PodCondition{condition}
		}
	}
	return nil
}

// issuerToken keeps the fact that there is a volume with a token for the issuer.
func issuerToken(pod *corev1.Pod) []corev1.Volume {
	if !workload.HoldsToken(pod, issuerapi.Audience) {
		return nil
	}
	token := corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: issuerapi.Audience}}
	return []corev1.Volume{{VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{token}},
	}}}
}

// portsOf keeps the ports that Services can lead to.
func portsOf(containers []corev1.Container) []corev1.Container {
	var slim []corev1.Container
	room := maxPorts
	for _, container := range containers {
		if ports := first(container.Ports, room); len(ports) > 0 {
			slim = append(slim, corev1.Container{Ports: ports})
			room -= len(ports)
		}
	}
	return slim
}

// Service keeps what load balancer metadata depends on. A Service with a huge selector selects nothing.
func Service(object any) (any, error) {
	service, ok := object.(*corev1.Service)
	if !ok {
		return object, nil
	}
	slim := &corev1.Service{
		TypeMeta: service.TypeMeta, ObjectMeta: identifying(service.ObjectMeta),
		Spec: corev1.ServiceSpec{Type: service.Spec.Type, Ports: first(service.Spec.Ports, maxPorts)},
	}
	if size(service.Spec.Selector) <= maxSelector {
		slim.Spec.Selector = service.Spec.Selector
	}
	for _, ingress := range first(service.Status.LoadBalancer.Ingress, maxFrontends) {
		slim.Status.LoadBalancer.Ingress = append(slim.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ingress.IP})
	}
	return slim, nil
}
