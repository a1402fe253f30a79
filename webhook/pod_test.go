package webhook

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// newPod returns a pod of the namespace shop with one container that asks for identities.
func newPod(identities string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: "shop", Annotations: map[string]string{v1alpha1.IdentityAnnotation: identities}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "cashier",
			Containers:         []corev1.Container{{Name: "app", Image: "registry.example/app"}},
		},
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func annotated(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations[name] = value }
}

func labelled(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Labels = map[string]string{name: value} }
}

func as(account string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = account }
}

func onHostNetwork(pod *corev1.Pod) { pod.Spec.HostNetwork = true }

func onWindows(pod *corev1.Pod) { pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }

func withSysctl(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: name, Value: value}}}
	}
}

func withContainer(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Image: "registry.example/own"})
	}
}

func withInitContainer(name string, args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: name, Image: "registry.example/own", Args: args})
	}
}

// withPort declares a port of the first container.
func withPort(port int32, protocol corev1.Protocol) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { declare(&pod.Spec.Containers[0], port, protocol) }
}

// withInitPort declares a TCP port of the first init container.
func withInitPort(port int32) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { declare(&pod.Spec.InitContainers[0], port, corev1.ProtocolTCP) }
}

func declare(container *corev1.Container, port int32, protocol corev1.Protocol) {
	container.Ports = append(container.Ports, corev1.ContainerPort{ContainerPort: port, Protocol: protocol})
}

func withVolume(volume corev1.Volume) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Volumes = append(pod.Spec.Volumes, volume) }
}

func withDNS(policy corev1.DNSPolicy) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.DNSPolicy = policy }
}

// withVariables sets the environment of the container app: NAME, VALUE, NAME, VALUE, …
func withVariables(pairs ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		for i := 0; i < len(pairs); i += 2 {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
		}
	}
}

// withVariableFrom sets a variable of the container app from a ConfigMap.
func withVariableFrom(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "proxy"}, Key: name}}})
	}
}
