package controllers

import (
	"context"
	"fmt"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// StorageAccountReconciler gives every storage account its host names, one for each service.
type StorageAccountReconciler struct {
	Client client.Client

	// Services reads the Services from the API server.
	Services client.Reader

	Events events.EventRecorder
	Names  install.Names
}

// SetupWithManager registers the reconciler.
func (r *StorageAccountReconciler) SetupWithManager(manager ctrl.Manager) error {
	return controlNamed(manager, "storageaccount", &v1alpha1.StorageAccount{}, func() client.ObjectList { return &v1alpha1.StorageAccountList{} }, r, related{})
}

// Reconcile updates the status of one account, and the host names of all.
func (r *StorageAccountReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var all v1alpha1.StorageAccountList
	if err := r.Client.List(ctx, &all); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the StorageAccounts: %w", err)
	}
	hosts := hostNames{r.Client, r.Services, r.Names, install.StorageGate}
	for _, service := range install.StorageServices {
		if err := hosts.give(ctx, service, "storage-"+service, namesOf(all.Items)); err != nil {
			return ctrl.Result{}, err
		}
	}
	i := slices.IndexFunc(all.Items, func(one v1alpha1.StorageAccount) bool {
		return client.ObjectKeyFromObject(&one) == request.NamespacedName
	})
	if i < 0 {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.judge(ctx, &all.Items[i], all.Items)
}

// judge writes the status of an account.
func (r *StorageAccountReconciler) judge(ctx context.Context, account *v1alpha1.StorageAccount, all []v1alpha1.StorageAccount) error {
	before := account.DeepCopy()
	ready, own := served("StorageAccount", account, owner.Of(account.Name, all))
	uri := func(service string) string {
		if !own {
			return ""
		}
		return "https://" + account.Name + "." + r.Names.StorageDomain(service)
	}
	account.Status.Blob, account.Status.Queue, account.Status.Table = uri("blob"), uri("queue"), uri("table")
	apimeta.SetStatusCondition(&account.Status.Conditions, ready)
	if written, err := writeStatus(ctx, r.Client, "StorageAccount", account, before); err != nil || !written {
		return err
	}
	announce(r.Events, account, before.Status.Conditions, ready)
	return nil
}
