package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// ResourceReconciler gives the resources of a kind, whose names are unique in the cluster, their host names: those of the cluster, and those
// of Azure that they may have.
type ResourceReconciler struct {
	Client client.Client

	// Services reads Services from the API server.
	Services client.Reader

	Events events.EventRecorder
	Names  install.Names

	// Hosts decides about the host names of Azure, and says which kind it is.
	Hosts PublicHosts

	serving serving
	names   *hostNames
}

// serving is how a kind is served.
type serving struct {
	// services are the headless Services by which resources have host names, with the endings of their EndpointSlices' names.
	services map[string]string

	// setURIs writes where the resource is at each of these Services, or "", into its status.
	setURIs func(resource azurehost.Resource, uri func(service string) string)
}

var servings = map[*azurehost.Kind]serving{azurehost.KeyVaults: servingVaults, azurehost.StorageAccounts: servingAccounts}

// SetupWithManager registers the reconciler. What happens to a resource concerns those with its name, and those that want its host names of Azure.
func (r *ResourceReconciler) SetupWithManager(manager ctrl.Manager) error {
	kind := r.Hosts.Kind
	r.serving = servings[kind]
	r.names = &hostNames{client: r.Client, live: r.Services, names: r.Names, kind: kind, services: r.serving.services, all: r.allNames, now: time.Now}
	changed := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, created(hostsDiffer)))
	err := ctrl.NewControllerManagedBy(manager).
		Named(strings.ToLower(kind.Name)).
		For(kind.New(), changed).
		Watches(kind.New(), handler.EnqueueRequestsFromMapFunc(r.rivals), changed).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of the %ss: %w", kind.Name, err)
	}
	return nil
}

// Reconcile updates the status of one resource, after the host names of the cluster, which its status promises.
func (r *ResourceReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	resource := r.Hosts.Kind.New()
	err := r.Client.Get(ctx, request.NamespacedName, resource)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("read the %s %s: %w", r.Hosts.Kind.Name, request, err)
	}
	isThere := !apierrors.IsNotFound(err)
	if err := r.names.keep(ctx, request.Name, isThere); err != nil || !isThere {
		return ctrl.Result{}, err
	}
	return r.judge(ctx, resource)
}

// lookAgain is when a resource that lacks a host name is looked at again: the authority may be another one, or others may have fewer.
const lookAgain = 5 * time.Minute

// judge writes the status of a resource.
func (r *ResourceReconciler) judge(ctx context.Context, resource azurehost.Resource) (ctrl.Result, error) {
	before, _ := resource.DeepCopyObject().(azurehost.Resource)
	named, err := r.Hosts.Kind.Named(ctx, r.Client, resource.GetName())
	if err != nil {
		return ctrl.Result{}, err
	}
	contenders, err := r.Hosts.contenders(ctx, r.Client, resource)
	if err != nil {
		return ctrl.Result{}, err
	}
	ready, own := r.ready(resource, ownersOf(named)[resource.GetName()])
	r.serving.setURIs(resource, func(service string) string {
		if !own {
			return ""
		}
		return "https://" + resource.GetName() + "." + r.Names.Domain(service)
	})
	held, hosts := r.Hosts.judge(resource, contenders)
	resource.SetHeldHosts(held)
	conditions := []metav1.Condition{ready}
	if len(resource.DeclaredHosts()) > 0 {
		conditions = append(conditions, hosts)
	} else {
		apimeta.RemoveStatusCondition(resource.StatusConditions(), v1alpha1.ConditionPublicHosts)
	}
	for _, condition := range conditions {
		apimeta.SetStatusCondition(resource.StatusConditions(), condition)
	}
	written, err := writeStatus(ctx, r.Client, r.Hosts.Kind.Name, resource, before)
	if err != nil {
		return ctrl.Result{}, err
	}
	if written {
		for _, condition := range conditions {
			announce(r.Events, resource, *before.StatusConditions(), condition)
		}
	}
	if hosts.Status == metav1.ConditionFalse || ready.Reason == v1alpha1.ReasonTooManyNames {
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	return ctrl.Result{}, nil
}

// ready returns the condition Ready of a resource, and whether it has its host names: the name belongs to the owner, if there are not too many.
func (r *ResourceReconciler) ready(resource, oldest azurehost.Resource) (condition metav1.Condition, own bool) {
	condition = metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: resource.GetGeneration(), Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonServed, Message: "it is served; RoleAssignments beside it say who may use it",
	}
	switch {
	case oldest != nil && oldest.GetUID() != resource.GetUID():
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonNameTaken
		condition.Message = fmt.Sprintf("the name belongs to the older %s of namespace %s: choose another one", r.Hosts.Kind.Name, oldest.GetNamespace())
	case !r.names.has(resource.GetName()):
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonTooManyNames
		condition.Message = fmt.Sprintf("it has no host name, because only the %d oldest names of %s have one: delete %s that are not needed, "+
			"and it gets one within minutes", maxEndpoints, r.Hosts.Kind.Plural, r.Hosts.Kind.Plural)
	default:
		return condition, true
	}
	return condition, false
}

// rivals maps a resource to those with its name, and to those that declare a public host that it declares.
func (r *ResourceReconciler) rivals(ctx context.Context, object client.Object) []ctrl.Request {
	resource, ok := object.(azurehost.Resource)
	if !ok {
		return nil
	}
	found, err := r.Hosts.Kind.Named(ctx, r.Client, resource.GetName())
	if err != nil {
		logMissed(ctx, err)
	}
	for _, host := range resource.DeclaredHosts() {
		declaring, err := r.Hosts.Kind.Declaring(ctx, r.Client, host)
		if err != nil {
			logMissed(ctx, err)
		}
		found = append(found, declaring...)
	}
	var requests []ctrl.Request
	for _, one := range found {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(one)})
	}
	return requests
}

// allNames returns the names of all resources, each once, those of the oldest first.
func (r *ResourceReconciler) allNames(ctx context.Context) ([]string, error) {
	all, err := r.Hosts.Kind.List(ctx, r.Client, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	owners := ownersOf(all)
	return slices.SortedFunc(maps.Keys(owners), func(a, b string) int {
		if owner.IsOlder(owners[a], owners[b]) {
			return -1
		}
		return 1
	}), nil
}

// hostsDiffer compares the public hosts that resources have: of two that have the same one, the older one keeps it.
func hostsDiffer(before, after client.Object) bool {
	old, oldIs := before.(azurehost.Resource)
	current, currentIs := after.(azurehost.Resource)
	return oldIs && currentIs && !slices.Equal(old.HeldHosts(), current.HeldHosts())
}
