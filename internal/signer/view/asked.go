package view

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// askedBy returns the identities that the grant of a pod looks up, by deciding with a lookup that records names. A missing
// ServiceAccount or namespace counts as empty.
func askedBy(ctx context.Context, source directory.Source, pod *subject) []string {
	account, _ := source.ServiceAccount(ctx, pod.Namespace, pod.ServiceAccount)
	namespace, _ := source.Namespace(ctx, pod.Namespace)
	bindings, _ := source.Bindings(ctx, pod.Namespace)
	if account == nil {
		account = &metav1.PartialObjectMetadata{}
	}
	if namespace == nil {
		namespace = &metav1.PartialObjectMetadata{}
	}
	var names []string
	lookup := func(name string) (*v1alpha1.ManagedIdentity, error) {
		if isName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		return nil, nil
	}
	// The lookup never fails, and the grant is not of interest.
	_, _ = grant.Decide(pod.in(account, namespace), lookup, bindings)
	return names
}

// isName reports whether an object can have a name.
func isName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }
