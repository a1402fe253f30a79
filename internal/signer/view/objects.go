package view

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// maxLoadBalancers bounds the load balancers shown of a namespace.
const maxLoadBalancers = 64

// objectsOf returns the objects of a key as they are now, without what changes when nothing does.
func (f *follower) objectsOf(ctx context.Context, key signerapi.ViewKey) ([]any, error) {
	source := f.hub.source
	switch key.Kind {
	case signerapi.ViewNode:
		node, err := source.Node(ctx, key.Name)
		return one(node, err)
	case signerapi.ViewServiceAccount:
		account, err := source.ServiceAccount(ctx, key.Namespace, key.Name)
		return one(account, err)
	case signerapi.ViewNamespace:
		namespace, err := source.Namespace(ctx, key.Name)
		return one(namespace, err)
	case signerapi.ViewIdentity:
		identity, err := source.Identity(ctx, key.Name)
		return one(identity, err)
	case signerapi.ViewBindings:
		return f.bindingsOf(ctx, key)
	default:
		return f.loadBalancersOf(ctx, key)
	}
}

// one returns a single object, or none if it does not exist.
func one[T any, P interface {
	*T
	metav1.Object
}](object P, err error) ([]any, error) {
	if err != nil || object == nil {
		return nil, err
	}
	return []any{unversioned(object)}, nil
}

// unversioned returns a shallow copy of an object that does not change with each write to the object.
func unversioned[T any, P interface {
	*T
	metav1.Object
}](object P) P {
	copied := P(new(T))
	*copied = *object
	copied.SetResourceVersion("")
	return copied
}

// bindingsOf returns the bindings of a namespace that decide for the node's pods.
func (f *follower) bindingsOf(ctx context.Context, key signerapi.ViewKey) ([]any, error) {
	bindings, err := f.hub.source.Bindings(ctx, key.Namespace)
	if err != nil {
		return nil, err
	}
	accounts := map[string]bool{}
	for _, pod := range f.holders(key) {
		accounts[pod.ServiceAccount] = true
	}
	shown := map[string]bool{}
	for account := range accounts {
		for _, binding := range grant.Deciding(key.Namespace, account, bindings) {
			shown[binding.Name] = true
		}
	}
	var objects []any
	for i := range bindings {
		if shown[bindings[i].Name] {
			objects = append(objects, unversioned(&bindings[i]))
		}
	}
	return objects, nil
}

// loadBalancersOf returns the load balancers of a namespace that lead to the node's pods.
func (f *follower) loadBalancersOf(ctx context.Context, key signerapi.ViewKey) ([]any, error) {
	services, err := f.hub.source.LoadBalancers(ctx, key.Namespace)
	if err != nil {
		return nil, err
	}
	services = slices.SortedFunc(slices.Values(services), func(a, b corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	pods := f.holders(key)
	var objects []any
	for i := range services {
		if len(objects) < maxLoadBalancers && leads(&services[i], pods) {
			objects = append(objects, unversioned(&services[i]))
		}
	}
	return objects, nil
}

// leads reports whether a Service selects one of the pods.
func leads(service *corev1.Service, pods []*subject) bool {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	return len(service.Spec.Selector) > 0 && slices.ContainsFunc(pods, func(pod *subject) bool {
		return selector.Matches(labels.Set(pod.labels))
	})
}

// holders returns the pods that hold a key.
func (f *follower) holders(key signerapi.ViewKey) []*subject {
	var pods []*subject
	for uid := range f.held[key] {
		if found := f.holding[uid]; found != nil && found.pod != nil {
			pods = append(pods, found.pod)
		}
	}
	return pods
}

// shownOf returns what an issuer may know of a pod: everything that its answers depend on, and of a pod that may not ask, which it
// is and whether it has ended.
func shownOf(pod *corev1.Pod) *corev1.Pod {
	if directory.Asks(pod) {
		return unversioned(pod)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Spec:       corev1.PodSpec{ServiceAccountName: pod.Spec.ServiceAccountName},
		Status:     corev1.PodStatus{Phase: pod.Status.Phase},
	}
}
