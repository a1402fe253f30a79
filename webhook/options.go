// Package webhook gives pods that ask their IMDS, at admission, and validates what the CRDs' own rules cannot.
package webhook

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"context"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// MutatePath is where the API server sends pods.
const MutatePath = "/mutate-pods"

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

	// CABundle is the certificate of the authority that the issuers' certificates are signed by, in PEM; nil until
	// there is one.
	CABundle func(context.Context) []byte
}

// SetupWithManager makes the manager's webhook server answer the API server.
func (o Options) SetupWithManager(manager ctrl.Manager) error {
	manager.GetWebhookServer().Register(MutatePath, &admission.Webhook{
		Handler: &mutator{
			options: o,
			decoder: admission.NewDecoder(manager.GetScheme()),
			lookup:  lookup{cached: manager.GetClient(), live: manager.GetAPIReader()},
			log:     ctrl.Log.WithName("audit"),
		},
		RecoverPanic: new(true),
	})
	if err := ctrl.NewWebhookManagedBy(manager, &v1alpha1.ManagedIdentity{}).WithValidator(identityValidator{}).Complete(); err != nil {
		return fmt.Errorf("set up the validation of ManagedIdentities: %w", err)
	}
	if err := ctrl.NewWebhookManagedBy(manager, &v1alpha1.IdentityBinding{}).
		WithValidator(bindingValidator{manager.GetClient()}).Complete(); err != nil {
		return fmt.Errorf("set up the validation of IdentityBindings: %w", err)
	}
	return nil
}
