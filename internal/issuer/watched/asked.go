package watched

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// askedBy are the identities that a decision about a pod looks up: the decision itself is asked. What is not known yet of
// its ServiceAccount and namespace is taken to say nothing; when it is known, the pod is looked at again.
func (w *Watches) askedBy(pod *corev1.Pod) []string {
	ctx := context.Background()
	account, _ := w.ServiceAccount(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	namespace, _ := w.Namespace(ctx, pod.Namespace)
	bindings, _ := w.Bindings(ctx, pod.Namespace)
	if account == nil {
		account = &metav1.PartialObjectMetadata{}
	}
	if namespace == nil {
		namespace = &metav1.PartialObjectMetadata{}
	}
	var names []string
	grant.Decide(directory.Principal(pod, account, namespace), func(name string) *v1alpha1.ManagedIdentity {
		if isName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		return nil
	}, bindings)
	return names
}

// isName reports whether an object may have a name. The API server would look through all objects for one that none can have.
func isName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }
