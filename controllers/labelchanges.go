package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// labelChanges finds the identities that depend on a changed label of a namespace, by an index of the labels that their selectors mention.
type labelChanges struct {
	cached client.Reader
}

// labelIndex is the name of the index of identities by the labels that their namespaceSelectors mention.
const labelIndex = "spec.assumableBy.namespaceSelector.labels"

// selectedLabels returns the values of labelIndex.
func selectedLabels(object client.Object) []string {
	identity, ok := object.(*v1alpha1.ManagedIdentity)
	if !ok {
		return nil
	}
	return grant.SelectedLabels(identity)
}

// handler returns a handler of namespaces. It enqueues what concerned returns for a namespace and a report of the identities that depend on
// what changed. A label that no selector mentions enqueues nothing.
func (l labelChanges) handler(concerned func(ctx context.Context, namespace string, depends func(identity string) bool) []ctrl.Request) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]
	enqueue := func(ctx context.Context, namespace client.Object, changed []string, to queue) {
		depends, err := l.dependents(ctx, changed)
		if err != nil {
			logMissed(ctx, err)
		}
		if depends == nil {
			return
		}
		for _, request := range concerned(ctx, namespace.GetName(), depends) {
			to.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, to queue) {
			// At the start everything is looked at anyhow. Later, ServiceAccounts may have been seen before their namespace.
			if !e.IsInInitialList {
				enqueue(ctx, e.Object, slices.Collect(maps.Keys(e.Object.GetLabels())), to)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, to queue) {
			enqueue(ctx, e.ObjectNew, differing(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()), to)
		},
	}
}

// dependents returns a function that reports whether an identity depends on one of the changed labels; nil if none does.
func (l labelChanges) dependents(ctx context.Context, changed []string) (func(identity string) bool, error) {
	if slices.Contains(changed, grant.LabelsCut) {
		return func(string) bool { return true }, nil
	}
	names := map[string]bool{}
	for _, label := range changed {
		var list v1alpha1.ManagedIdentityList
		if err := l.cached.List(ctx, &list, client.MatchingFields{labelIndex: label}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list the identities whose selectors mention the label %s: %w", label, err)
		}
		for i := range list.Items {
			names[list.Items[i].Name] = true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return func(identity string) bool { return names[identity] }, nil
}

// differing returns the names of the labels that two sets do not have alike.
func differing(before, after map[string]string) []string {
	var names []string
	for name, value := range before {
		if other, found := after[name]; !found || other != value {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, found := before[name]; !found {
			names = append(names, name)
		}
	}
	return names
}
