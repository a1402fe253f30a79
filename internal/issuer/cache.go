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
	"github.com/kube-imds/kube-imds/internal/slim"
)

// CacheOptions confine the caches to what the pods of one node hang on. The clock says when taints were first seen.
func CacheOptions(nodeName string, now func() time.Time) cache.Options {
	ofNode := func(field string) fields.Selector { return fields.OneTermEqualSelector(field, nodeName) }
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Field: ofNode("spec.nodeName"), Transform: slim.Pod},
			&corev1.Node{}: {Field: ofNode("metadata.name"), Transform: slimNode(newTaintTimes(now))},
			&corev1.Service{}: {
				Field:     fields.OneTermEqualSelector("spec.type", string(corev1.ServiceTypeLoadBalancer)),
				Transform: slim.Service,
			},
			&v1alpha1.ManagedIdentity{}:          {Transform: slim.Identity},
			&v1alpha1.IdentityBinding{}:          {Transform: slim.Binding},
			directory.Metadata("ServiceAccount"): {Transform: slim.Metadata},
			directory.Metadata("Namespace"):      {Transform: slim.Metadata},
		},
	}
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
