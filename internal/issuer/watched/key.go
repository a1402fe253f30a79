package watched

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-imds/kube-imds/internal/cluster/slim"
)

// kind is a kind of object that can be watched.
type kind string

const (
	serviceAccount kind = "ServiceAccount"
	namespaces     kind = "Namespace"
	identity       kind = "ManagedIdentity"
	bindings       kind = "IdentityBinding"
	loadBalancers  kind = "Service"
)

// key identifies a watch: of one object or, without a name, of all objects in a namespace.
type key struct {
	kind      kind
	namespace string
	name      string
}

// selector limits the watch to the key's name.
func (k key) selector() fields.Selector {
	switch k.kind {
	case bindings:
		return fields.Everything()
	case loadBalancers:
		return fields.OneTermEqualSelector("spec.type", string(corev1.ServiceTypeLoadBalancer))
	default:
		return fields.OneTermEqualSelector("metadata.name", k.name)
	}
}

// slim returns the transform that keeps only what a decision reads.
func (k key) slim() cache.TransformFunc {
	switch k.kind {
	case identity:
		return slim.Identity
	case bindings:
		return slim.Binding
	case loadBalancers:
		return slim.Service
	default:
		return slim.Metadata
	}
}
