// Package webhook gives pods that ask their IMDS, at admission, and validates what the CRDs' own rules cannot.
package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/capability"
)

// The names that the webhooks have in their configurations.
const (
	podWebhook       = "pods.kube-imds.io"
	namespaceWebhook = "namespaces.kube-imds.io"
	identityWebhook  = "managedidentities.kube-imds.io"
	bindingWebhook   = "identitybindings.kube-imds.io"
)

// Options are what injected pods get.
type Options struct {
	// SidecarImage is the image of the sidecar and of net-init.
	SidecarImage    string
	ImagePullPolicy corev1.PullPolicy

	SidecarResources corev1.ResourceRequirements
	NetInitResources corev1.ResourceRequirements

	// SidecarLogLevel is what the sidecar logs: debug, info or error. Empty stands for info.
	SidecarLogLevel string

	// AzureLimits makes the sidecar answer no more requests than Azure's IMDS would.
	AzureLimits bool

	// Interception is how requests to the IMDS's address reach the sidecar, and SidecarPort the loopback port to which they
	// are redirected where a pod names no other.
	Interception Interception
	SidecarPort  int32

	// IssuerURL is the address of the node's issuer.
	IssuerURL string

	// CABundle are the certificates of the authorities that the issuers' certificates may be signed by, in PEM; nil until
	// there is one. It is what a pod begins with.
	CABundle func(context.Context) []byte

	// TrustName is the name of the ConfigMap in the pod's namespace by which they are kept current.
	TrustName string
}

// SetupWithManager makes the manager's webhook server answer the API server.
func (o Options) SetupWithManager(manager ctrl.Manager) error {
	pods := &mutator{
		options: o,
		decoder: admission.NewDecoder(manager.GetScheme()),
		lookup:  lookup{cached: manager.GetClient(), live: manager.GetAPIReader()},
		room:    newRoom(),
		log:     ctrl.Log.WithName("audit"),
	}
	for _, name := range []string{podWebhook, namespaceWebhook} {
		manager.GetWebhookServer().Register(capability.Route(name), &admission.Webhook{Handler: pods, RecoverPanic: new(true)})
	}
	if err := ctrl.NewWebhookManagedBy(manager, &v1alpha1.ManagedIdentity{}).WithValidator(identityValidator{}).
		WithValidatorCustomPath(capability.Route(identityWebhook)).Complete(); err != nil {
		return fmt.Errorf("set up the validation of ManagedIdentities: %w", err)
	}
	if err := ctrl.NewWebhookManagedBy(manager, &v1alpha1.IdentityBinding{}).WithValidator(bindingValidator{manager.GetClient()}).
		WithValidatorCustomPath(capability.Route(bindingWebhook)).Complete(); err != nil {
		return fmt.Errorf("set up the validation of IdentityBindings: %w", err)
	}
	return nil
}
