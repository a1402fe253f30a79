package storagegate

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Provisioner gives the backend an account for each StorageAccount. What an account holds stays when its object is deleted, and goes when an
// account of the name is made again: that one begins empty, and may be of another namespace.
type Provisioner struct {
	Reader   client.Reader
	Accounts *Accounts
	Backend  *Backend
}

// SetupWithManager registers the provisioner.
func (p *Provisioner) SetupWithManager(manager ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(manager).
		Named("provisioner").
		WithOptions(controller.Options{NeedLeaderElection: new(false)}).
		For(&v1alpha1.StorageAccount{}).
		Complete(p)
	if err != nil {
		return fmt.Errorf("set up the provisioner of storage accounts: %w", err)
	}
	return nil
}

// Reconcile makes the account of a name, for the object to which the name belongs.
func (p *Provisioner) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	account, err := served(ctx, p.Reader, request.Name)
	if err != nil || account == nil || p.Accounts.Known(account.Name, account.UID) {
		return ctrl.Result{}, err
	}
	if before := p.Accounts.uid(account.Name); before != "" {
		if err := p.Backend.empty(ctx, account.Name); err != nil {
			return ctrl.Result{}, fmt.Errorf("empty the account that an earlier StorageAccount %s left: %w", account.Name, err)
		}
		ctrl.LoggerFrom(ctx).Info("emptied the account that an earlier StorageAccount of the name left", "was", before)
	}
	return ctrl.Result{}, p.Accounts.add(account.Name, account.UID)
}
