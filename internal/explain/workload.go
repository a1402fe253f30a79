package explain

import (
	"cmp"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ErrNoPods is the error of WorkloadOf for other objects.
var ErrNoPods = errors.New("it has no pods: name a pod, an object with a pod template or a ServiceAccount")

// Workload is an object whose pods are explained.
type Workload struct {
	Kind, Name string

	// Exists reports whether the object is a pod in the cluster.
	Exists bool

	// Annotations are those of an object that has a pod template.
	Annotations map[string]string

	// Pod is the pod, or a pod of the object.
	Pod *corev1.Pod
}

// templates are the fields that hold pod templates: of Deployments and the like, and of CronJobs.
var templates = [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}}

// WorkloadOf returns the workload of a Pod, a ServiceAccount, or an object with a pod template. exists reports whether the object was
// read from the cluster.
func WorkloadOf(object *unstructured.Unstructured, exists bool) (*Workload, error) {
	switch object.GroupVersionKind().GroupKind() {
	case corev1.SchemeGroupVersion.WithKind("Pod").GroupKind():
		var pod corev1.Pod
		if err := convert(object.Object, &pod); err != nil {
			return nil, fmt.Errorf("read the Pod %s: %w", object.GetName(), err)
		}
		return workload(object, exists, nil, &pod), nil
	case corev1.SchemeGroupVersion.WithKind("ServiceAccount").GroupKind():
		return workload(object, false, nil, &corev1.Pod{Spec: corev1.PodSpec{ServiceAccountName: object.GetName()}}), nil
	}
	for _, path := range templates {
		content, found, err := unstructured.NestedMap(object.Object, path...)
		if err != nil || !found {
			continue
		}
		var template corev1.PodTemplateSpec
		if err := convert(content, &template); err != nil {
			return nil, fmt.Errorf("read the pod template of the %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: template.Annotations, Labels: template.Labels}, Spec: template.Spec,
		}
		return workload(object, false, object.GetAnnotations(), pod), nil
	}
	return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), ErrNoPods)
}

func workload(object *unstructured.Unstructured, exists bool, annotations map[string]string, pod *corev1.Pod) *Workload {
	pod.Namespace = object.GetNamespace()
	pod.Spec.ServiceAccountName = cmp.Or(pod.Spec.ServiceAccountName, "default")
	name := cmp.Or(object.GetName(), object.GetGenerateName())
	return &Workload{Kind: object.GetKind(), Name: name, Exists: exists, Annotations: annotations, Pod: pod}
}

func convert(content map[string]any, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, into)
}
