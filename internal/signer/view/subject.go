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
	// Principal is the pod as a grant sees it, without what its ServiceAccount and namespace say.
	grant.Principal

	name   string
	labels map[string]string
}

// silent is the subject of all pods that may not ask.
var silent = &subject{}

// subjectOf returns the subject of a pod as it is shown.
func subjectOf(pod *corev1.Pod) *subject {
	if !directory.Asks(pod) {
		return silent
	}
	alone := &metav1.PartialObjectMetadata{}
	made := &subject{Principal: grant.PrincipalOf(pod, alone, alone), name: pod.Name, labels: pod.Labels}
	made.PodAnnotations = slim.GrantAnnotations(pod.Annotations)
	return made
}

// asks reports whether the pod may ask.
func (s *subject) asks() bool { return s != nil && s != silent }

// in returns the pod as a grant sees it.
func (s *subject) in(account, namespace *metav1.PartialObjectMetadata) grant.Principal {
	principal := s.Principal
	principal.ServiceAccountAnnotations, principal.NamespaceLabels = account.Annotations, namespace.Labels
	return principal
}
