package signer

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
)

// CacheOptions limit the caches to what a signature depends on. Pods without a node are left out.
func CacheOptions(secret, configMap client.ObjectKey) cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:    one(secret),
			&corev1.ConfigMap{}: one(configMap),
			&corev1.Pod{}: {
				Field: fields.AndSelectors(
					fields.OneTermNotEqualSelector("spec.nodeName", ""),
					fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
					fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
				),
				Transform: slim.Subject,
			},
			&corev1.Node{}:                       {Transform: slimNode},
			&v1alpha1.ManagedIdentity{}:          {Transform: slim.Identity},
			&v1alpha1.IdentityBinding{}:          {Transform: slim.Binding},
			directory.Metadata("ServiceAccount"): {Transform: slim.Metadata},
			directory.Metadata("Namespace"):      {Transform: slim.Metadata},
		},
	}
}

// KeysCacheOptions limit a cache to the two objects of a ring of keys.
func KeysCacheOptions(secret, configMap client.ObjectKey) cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&corev1.Secret{}: one(secret), &corev1.ConfigMap{}: one(configMap)},
	}
}

// one limits a kind to a single object.
func one(key client.ObjectKey) cache.ByObject {
	return cache.ByObject{
		Namespaces: map[string]cache.Config{key.Namespace: {}},
		Field:      fields.OneTermEqualSelector("metadata.name", key.Name),
	}
}

// slimNode keeps the node's place.
func slimNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion,
			Labels: only(node.Labels, corev1.LabelTopologyRegion, corev1.LabelTopologyZone),
		},
		Spec: corev1.NodeSpec{ProviderID: node.Spec.ProviderID},
	}, nil
}

// only keeps the named labels.
func only(labels map[string]string, names ...string) map[string]string {
	kept := map[string]string{}
	for _, name := range names {
		if value, found := labels[name]; found {
			kept[name] = value
		}
	}
	return kept
}
