package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// KeyVaultReconciler gives every vault its host name.
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
	return controlNamed(manager, "keyvault", &v1alpha1.KeyVault{}, func() client.ObjectList { return &v1alpha1.KeyVaultList{} }, r,
		related{isRival: sharesHost, differs: hostsDiffer})
}

// Reconcile updates the status of one vault, and the host names of all.
func (r *KeyVaultReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var all v1alpha1.KeyVaultList
	if err := r.Client.List(ctx, &all); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the KeyVaults: %w", err)
	}
	hosts := hostNames{r.Client, r.Services, r.Names, install.KeyVault}
	if err := hosts.give(ctx, install.VaultService, "vaults", namesOf(all.Items)); err != nil {
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
	ready, own := served("KeyVault", vault, owner.Of(vault.Name, all))
	vault.Status.URI = ""
	if own {
		vault.Status.URI = "https://" + vault.Name + "." + r.Names.VaultDomain()
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

// sharesHost reports whether a vault declares a public host that another one declares.
func sharesHost(one, other client.Object) bool {
	vault, isVault := one.(*v1alpha1.KeyVault)
	another, isAnother := other.(*v1alpha1.KeyVault)
	return isVault && isAnother && slices.ContainsFunc(vault.Spec.PublicHosts, func(host v1alpha1.VaultHost) bool {
		return slices.Contains(another.Spec.PublicHosts, host)
	})
}
