package issuer

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/slim"
)

// CacheOptions confine the caches to the pods of one node and the Node. What those pods hang on is watched by itself, as they
// come and go. The clock says when taints were first seen.
func CacheOptions(nodeName string, now func() time.Time) cache.Options {
	ofNode := func(field string) fields.Selector { return fields.OneTermEqualSelector(field, nodeName) }
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Field: ofNode("spec.nodeName"), Transform: slim.Pod},
			&corev1.Node{}: {Field: ofNode("metadata.name"), Transform: slimNode(newTaintTimes(now))},
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
