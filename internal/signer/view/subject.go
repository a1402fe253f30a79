package view

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// subject is what decides of a pod: what a grant depends on, and its labels, by which Services lead to it. A signer has the pods of
// many nodes, and editors of namespaces decide how large they are.
type subject struct {
	namespace, name, account string
	annotations, labels      map[string]string
	hostNetwork              bool
}

// silent is the subject of all pods that may not ask.
var silent = &subject{}

// subjectOf returns the subject of a pod as it is shown.
func subjectOf(pod *corev1.Pod) *subject {
	if !directory.Asks(pod) {
		return silent
	}
	return &subject{
		namespace: pod.Namespace, name: pod.Name, account: pod.Spec.ServiceAccountName,
		annotations: slim.GrantAnnotations(pod.Annotations), labels: pod.Labels, hostNetwork: pod.Spec.HostNetwork,
	}
}

// asks reports whether the pod may ask.
func (s *subject) asks() bool { return s != nil && s != silent }

// principal returns the pod as a grant sees it.
func (s *subject) principal(account, namespace *metav1.PartialObjectMetadata) grant.Principal {
	return grant.Principal{
		Namespace: s.namespace, NamespaceLabels: namespace.Labels, ServiceAccount: s.account,
		PodAnnotations: s.annotations, ServiceAccountAnnotations: account.Annotations, HostNetwork: s.hostNetwork,
	}
}
