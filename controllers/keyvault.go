package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
}

// SetupWithManager registers the reconciler.
func (r *KeyVaultReconciler) SetupWithManager(manager ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(manager).
		Named("keyvault").
		For(&v1alpha1.KeyVault{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.KeyVault{}, handler.EnqueueRequestsFromMapFunc(r.rivals), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
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
	return ctrl.Result{}, r.judge(ctx, &all.Items[i], all.Items)
}

// judge writes the status of a vault.
func (r *KeyVaultReconciler) judge(ctx context.Context, vault *v1alpha1.KeyVault, all []v1alpha1.KeyVault) error {
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
	apimeta.SetStatusCondition(&vault.Status.Conditions, ready)
	if written, err := writeStatus(ctx, r.Client, "KeyVault", vault, before); err != nil || !written {
		return err
	}
	announce(r.Events, vault, before.Status.Conditions, ready)
	return nil
}

// ownerOf returns the oldest vault with a name, to which the name belongs.
func ownerOf(name string, all []v1alpha1.KeyVault) *v1alpha1.KeyVault {
	var owner *v1alpha1.KeyVault
	for i := range all {
		if one := &all[i]; one.Name == name && (owner == nil || isOlder(one, owner)) {
			owner = one
		}
	}
	return owner
}

// isOlder orders vaults by age, and those of the same second by namespace.
func isOlder(one, other *v1alpha1.KeyVault) bool {
	if one.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return one.Namespace < other.Namespace
	}
	return one.CreationTimestamp.Before(&other.CreationTimestamp)
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

// rivals maps a vault to those of the same name.
func (r *KeyVaultReconciler) rivals(ctx context.Context, vault client.Object) []ctrl.Request {
	var all v1alpha1.KeyVaultList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		logMissed(ctx, err)
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if all.Items[i].Name == vault.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
