package issuer

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/disruption"
)

// CacheOptions limit the caches to the pods of one node and the Node. Package watched watches what those pods depend on. now
// dates taints without a time.
func CacheOptions(nodeName string, now func() time.Time) cache.Options {
	ofNode := func(field string) fields.Selector { return fields.OneTermEqualSelector(field, nodeName) }
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Field: ofNode("spec.nodeName"), Transform: slim.Pod},
			&corev1.Node{}: {Field: ofNode("metadata.name"), Transform: slimNode(disruption.NewTaintTimes(now))},
		},
	}
}

// slimNode keeps what instance metadata and scheduled events depend on, and dates the taints. It drops what a node reports every
// few seconds.
func slimNode(times *disruption.TaintTimes) func(any) (any, error) {
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
			Spec: corev1.NodeSpec{ProviderID: node.Spec.ProviderID, Taints: times.Date(node.Spec.Taints)},
		}, nil
	}
}
