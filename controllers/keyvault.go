package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	discoveryapply "k8s.io/client-go/applyconfigurations/discovery/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/install"
)

// KeyVaultReconciler gives every vault its host name: the endpoints of a headless Service have the vaults' names, and the address of the
// Service behind which the servers are (docs/design/vault-names.md).
type KeyVaultReconciler struct {
	Client client.Client

	// Services reads both Services from the API server.
	Services client.Reader

	Events events.EventRecorder
	Names  install.Names

	Hosts PublicHosts
}

// SetupWithManager registers the reconciler.
func (r *KeyVaultReconciler) SetupWithManager(manager ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, created(hostsDiffer)))
	err := ctrl.NewControllerManagedBy(manager).
		Named("keyvault").
		For(&v1alpha1.KeyVault{}, changed).
		Watches(&v1alpha1.KeyVault{}, handler.EnqueueRequestsFromMapFunc(r.rivals), changed).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of KeyVaults: %w", err)
	}
	return nil
}

// Reconcile updates the status of one vault, and the host names of all.
func (r *KeyVaultReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var all v1alpha1.KeyVaultList
	if err := r.Client.List(ctx, &all); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the KeyVaults: %w", err)
	}
	if err := r.name(ctx, all.Items); err != nil {
		return ctrl.Result{}, err
	}
	i := slices.IndexFunc(all.Items, func(one v1alpha1.KeyVault) bool { return client.ObjectKeyFromObject(&one) == request.NamespacedName })
	if i < 0 {
		return ctrl.Result{}, nil
	}
	return r.judge(ctx, &all.Items[i], all.Items)
}

// lookAgain is when a vault that lacks a public host is looked at again: the authority may be another one, or others may have fewer.
const lookAgain = 5 * time.Minute

// judge writes the status of a vault.
func (r *KeyVaultReconciler) judge(ctx context.Context, vault *v1alpha1.KeyVault, all []v1alpha1.KeyVault) (ctrl.Result, error) {
	before := vault.DeepCopy()
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, ObservedGeneration: vault.Generation, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonServed, Message: "the vault is served; RoleAssignments beside it say who may use it",
	}
	vault.Status.URI = "https://" + vault.Name + "." + r.Names.VaultDomain()
	if owner := ownerOf(vault.Name, all); owner.UID != vault.UID {
		vault.Status.URI = ""
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonNameTaken
		ready.Message = fmt.Sprintf("the name belongs to the older KeyVault of namespace %s: choose another one", owner.Namespace)
	}
	held, hosts := r.Hosts.judge(vault, all)
	vault.Status.PublicHosts = held
	apimeta.SetStatusCondition(&vault.Status.Conditions, ready)
	conditions := []metav1.Condition{ready}
	if len(vault.Spec.PublicHosts) > 0 {
		apimeta.SetStatusCondition(&vault.Status.Conditions, hosts)
		conditions = append(conditions, hosts)
	} else {
		apimeta.RemoveStatusCondition(&vault.Status.Conditions, v1alpha1.ConditionPublicHosts)
	}
	written, err := writeStatus(ctx, r.Client, "KeyVault", vault, before)
	if err != nil {
		return ctrl.Result{}, err
	}
	if written {
		for _, condition := range conditions {
			announce(r.Events, vault, before.Status.Conditions, condition)
		}
	}
	if hosts.Status == metav1.ConditionFalse {
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	return ctrl.Result{}, nil
}

// hostsDiffer compares the public hosts that vaults have: of two that have the same one, the older one keeps it.
func hostsDiffer(before, after client.Object) bool {
	old, oldIs := before.(*v1alpha1.KeyVault)
	current, currentIs := after.(*v1alpha1.KeyVault)
	return oldIs && currentIs && !slices.Equal(old.Status.PublicHosts, current.Status.PublicHosts)
}

// ownerOf returns the oldest vault with a name, to which the name belongs.
func ownerOf(name string, all []v1alpha1.KeyVault) *v1alpha1.KeyVault {
	var owner *v1alpha1.KeyVault
	for i := range all {
		if one := &all[i]; one.Name == name && (owner == nil || one.IsOlderThan(owner)) {
			owner = one
		}
	}
	return owner
}

// maxEndpoints is how many endpoints an EndpointSlice takes.
const maxEndpoints = 1000

// name gives the vaults their host names.
func (r *KeyVaultReconciler) name(ctx context.Context, all []v1alpha1.KeyVault) error {
	headless, err := r.service(ctx, install.VaultService)
	if err != nil {
		return err
	}
	address, err := r.address(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, vault := range all {
		names = append(names, vault.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	slice := discoveryapply.EndpointSlice(r.Names.Name+"-vaults", r.Names.Namespace).
		WithLabels(map[string]string{discoveryv1.LabelServiceName: install.VaultService, discoveryv1.LabelManagedBy: "kube-imds"}).
		WithOwnerReferences(metaapply.OwnerReference().WithAPIVersion("v1").WithKind("Service").WithName(headless.Name).WithUID(headless.UID)).
		WithAddressType(familyOf(address))
	for _, name := range names[:min(len(names), maxEndpoints)] {
		slice.WithEndpoints(discoveryapply.Endpoint().WithAddresses(address.String()).WithHostname(name))
	}
	if err := r.Client.Apply(ctx, slice, client.FieldOwner("kube-imds-controller"), client.ForceOwnership); err != nil {
		return fmt.Errorf("give the vaults their host names: %w", err)
	}
	return nil
}

// address returns the address of the Service behind which the servers are.
func (r *KeyVaultReconciler) address(ctx context.Context) (netip.Addr, error) {
	name, _, _ := strings.Cut(r.Names.Services(install.KeyVault)[0], ".")
	service, err := r.service(ctx, name)
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("read the address of the Service of the vaults: %w", err)
	}
	return address, nil
}

func (r *KeyVaultReconciler) service(ctx context.Context, name string) (*corev1.Service, error) {
	var service corev1.Service
	if err := r.Services.Get(ctx, client.ObjectKey{Namespace: r.Names.Namespace, Name: name}, &service); err != nil {
		return nil, fmt.Errorf("read the Service %s: %w", name, err)
	}
	return &service, nil
}

func familyOf(address netip.Addr) discoveryv1.AddressType {
	if address.Is4() {
		return discoveryv1.AddressTypeIPv4
	}
	return discoveryv1.AddressTypeIPv6
}

// rivals maps a vault to those of the same name, and to those that declare one of its public hosts.
func (r *KeyVaultReconciler) rivals(ctx context.Context, vault client.Object) []ctrl.Request {
	var all v1alpha1.KeyVaultList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		one := &all.Items[i]
		if one.Name == vault.GetName() || sharesHost(one, vault) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(one)})
		}
	}
	return requests
}

// sharesHost reports whether a vault declares a public host that another one declares.
func sharesHost(one *v1alpha1.KeyVault, other client.Object) bool {
	vault, ok := other.(*v1alpha1.KeyVault)
	return ok && slices.ContainsFunc(one.Spec.PublicHosts, func(host v1alpha1.VaultHost) bool {
		return slices.Contains(vault.Spec.PublicHosts, host)
	})
}
