package signer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
)

// CacheOptions limit the caches to what signatures and issuers' views depend on. Pods without a node are left out, and what only
// views show of pods.
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
			&corev1.Node{}:                       {Transform: slim.Node},
			&v1alpha1.ManagedIdentity{}:          {Transform: slim.Identity},
			&v1alpha1.IdentityBinding{}:          {Transform: slim.Binding},
			directory.Metadata("ServiceAccount"): {Transform: slim.Metadata},
			directory.Metadata("Namespace"):      {Transform: slim.Metadata},
			&corev1.Service{}: {
				Field:     fields.OneTermEqualSelector("spec.type", string(corev1.ServiceTypeLoadBalancer)),
				Transform: slim.Service,
			},
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
