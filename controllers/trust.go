package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	admissionregistrationac "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
)

// fieldOwner is the field manager of the controller's applies.
const fieldOwner = client.FieldOwner("kube-imds-controller")

// TrustReconciler publishes the certificates of the controller's authority: in a ConfigMap for verifiers of tokens, and in
// the webhooks' configurations for the API server, together with the secret paths. It restores them when a user removes
// them.
type TrustReconciler struct {
	Client       client.Client
	Authority    *authority.Authority
	Capabilities capability.Store

	// Name is the name of the webhook configurations.
	Name string

	Now func() time.Time
}

// SetupWithManager registers the reconciler. Its caches hold the objects with these names only.
func (r *TrustReconciler) SetupWithManager(manager ctrl.Manager) error {
	once := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{requestFor(r.Name)}
	})
	err := ctrl.NewControllerManagedBy(manager).
		Named("trust").
		Watches(&corev1.Secret{}, once).
		Watches(&corev1.ConfigMap{}, once).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, once).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, once).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of trust: %w", err)
	}
	return nil
}

// Reconcile publishes the certificates where they differ.
func (r *TrustReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	bundle := r.Authority.Bundle(ctx)
	if bundle == nil {
		// The authority's Secret is about to be filled; a watch will report it.
		return ctrl.Result{}, nil
	}
	capabilities, err := r.capabilities(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	err = errors.Join(r.applyConfigMap(ctx, bundle),
		r.applyMutating(ctx, bundle, capabilities), r.applyValidating(ctx, bundle, capabilities))
	return ctrl.Result{RequeueAfter: capabilities.Due(r.Now())}, err
}

// capabilities returns the valid capabilities, renewed if it is time.
func (r *TrustReconciler) capabilities(ctx context.Context) (capability.Set, error) {
	if good := r.Capabilities.Good(ctx); good.Due(r.Now()) > 0 {
		return good, nil
	}
	return r.Capabilities.Renew(ctx, r.Now())
}

func (r *TrustReconciler) applyConfigMap(ctx context.Context, bundle []byte) error {
	key := r.Authority.Key()
	var current corev1.ConfigMap
	if err := r.Client.Get(ctx, key, &current); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read the ConfigMap %s: %w", key.Name, err)
	}
	if current.Data[authority.BundleKey] == string(bundle) {
		return nil
	}
	wanted := coreac.ConfigMap(key.Name, key.Namespace).WithData(map[string]string{authority.BundleKey: string(bundle)})
	if err := r.Client.Apply(ctx, wanted, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the ConfigMap %s: %w", key.Name, err)
	}
	return nil
}

func (r *TrustReconciler) applyMutating(ctx context.Context, bundle []byte, capabilities capability.Set) error {
	var current admissionregistrationv1.MutatingWebhookConfiguration
	if err := r.Client.Get(ctx, client.ObjectKey{Name: r.Name}, &current); err != nil {
		return client.IgnoreNotFound(err)
	}
	wanted, changed := admissionregistrationac.MutatingWebhookConfiguration(r.Name), false
	for _, hook := range current.Webhooks {
		changed = changed || !isCalled(hook.ClientConfig, bundle, capabilities.Path(hook.Name))
		wanted.WithWebhooks(admissionregistrationac.MutatingWebhook().WithName(hook.Name).
			WithClientConfig(clientConfig(bundle, capabilities.Path(hook.Name))))
	}
	if !changed {
		return nil
	}
	if err := r.Client.Apply(ctx, wanted, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the MutatingWebhookConfiguration %s: %w", r.Name, err)
	}
	return nil
}

func (r *TrustReconciler) applyValidating(ctx context.Context, bundle []byte, capabilities capability.Set) error {
	var current admissionregistrationv1.ValidatingWebhookConfiguration
	if err := r.Client.Get(ctx, client.ObjectKey{Name: r.Name}, &current); err != nil {
		return client.IgnoreNotFound(err)
	}
	wanted, changed := admissionregistrationac.ValidatingWebhookConfiguration(r.Name), false
	for _, hook := range current.Webhooks {
		changed = changed || !isCalled(hook.ClientConfig, bundle, capabilities.Path(hook.Name))
		wanted.WithWebhooks(admissionregistrationac.ValidatingWebhook().WithName(hook.Name).
			WithClientConfig(clientConfig(bundle, capabilities.Path(hook.Name))))
	}
	if !changed {
		return nil
	}
	if err := r.Client.Apply(ctx, wanted, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the ValidatingWebhookConfiguration %s: %w", r.Name, err)
	}
	return nil
}

// isCalled reports whether a webhook's configuration has this path and this bundle.
func isCalled(config admissionregistrationv1.WebhookClientConfig, bundle []byte, path string) bool {
	return bytes.Equal(config.CABundle, bundle) &&
		config.Service != nil && config.Service.Path != nil && *config.Service.Path == path
}

func clientConfig(bundle []byte, path string) *admissionregistrationac.WebhookClientConfigApplyConfiguration {
	return admissionregistrationac.WebhookClientConfig().WithCABundle(bundle...).
		WithService(admissionregistrationac.ServiceReference().WithPath(path))
}
