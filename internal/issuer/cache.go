package issuer

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/directory"
)

// CacheOptions confine the caches to what the pods of one node hang on. The clock says when taints were first seen.
func CacheOptions(nodeName string, now func() time.Time) cache.Options {
	ofNode := func(field string) fields.Selector { return fields.OneTermEqualSelector(field, nodeName) }
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Field: ofNode("spec.nodeName"), Transform: slimPod},
			&corev1.Node{}: {Field: ofNode("metadata.name"), Transform: slimNode(newTaintTimes(now))},
			&corev1.Service{}: {
				Field:     fields.OneTermEqualSelector("spec.type", string(corev1.ServiceTypeLoadBalancer)),
				Transform: slimService,
			},
			directory.Metadata("ServiceAccount"): {Transform: directory.SlimMetadata},
			directory.Metadata("Namespace"):      {Transform: directory.SlimMetadata},
		},
	}
}

// slimPod keeps what a grant, instance metadata and scheduled events hang on.
func slimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp, Labels: pod.Labels,
			Annotations: directory.Only(pod.Annotations,
				v1alpha1.IdentityAnnotation, v1alpha1.UserDataAnnotation, v1alpha1.CustomDataAnnotation),
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, ServiceAccountName: pod.Spec.ServiceAccountName, Hostname: pod.Spec.Hostname,
			Containers: portsOf(pod.Spec.Containers), Tolerations: pod.Spec.Tolerations,
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, PodIPs: pod.Status.PodIPs, Conditions: disruptionOf(pod.Status.Conditions),
		},
	}, nil
}

// disruptionOf keeps of conditions the one that scheduled events hang on. The others change with every probe.
func disruptionOf(conditions []corev1.PodCondition) []corev1.PodCondition {
	for _, condition := range conditions {
		if condition.Type == corev1.DisruptionTarget {
			return []corev1.PodCondition{condition}
		}
	}
	return nil
}

// portsOf keeps of containers what Services lead to.
func portsOf(containers []corev1.Container) []corev1.Container {
	var slim []corev1.Container
	for _, container := range containers {
		if len(container.Ports) > 0 {
			slim = append(slim, corev1.Container{Ports: container.Ports})
		}
	}
	return slim
}

// slimService keeps what load balancer metadata hangs on.
func slimService(object any) (any, error) {
	service, ok := object.(*corev1.Service)
	if !ok {
		return object, nil
	}
	return &corev1.Service{
		TypeMeta: service.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: service.Name, Namespace: service.Namespace, UID: service.UID, ResourceVersion: service.ResourceVersion,
		},
		Spec:   corev1.ServiceSpec{Type: service.Spec.Type, Selector: service.Spec.Selector, Ports: service.Spec.Ports},
		Status: service.Status,
	}, nil
}

// slimNode keeps what instance metadata and scheduled events hang on, and dates the taints. What a node reports every few
// seconds is left out.
func slimNode(times *taintTimes) func(any) (any, error) {
	return func(object any) (any, error) {
		node, ok := object.(*corev1.Node)
		if !ok {
			return object, nil
		}
		return &corev1.Node{
			TypeMeta: node.TypeMeta,
			ObjectMeta: metav1.ObjectMeta{
				Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion, Labels: node.Labels,
			},
			Spec: corev1.NodeSpec{ProviderID: node.Spec.ProviderID, Taints: times.date(node.Spec.Taints)},
		}, nil
	}
}
