package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
)

// The names of the webhooks in their configurations.
const (
	podWebhook       = "pods.kube-imds.io"
	namespaceWebhook = "namespaces.kube-imds.io"
	identityWebhook  = "managedidentities.kube-imds.io"
	bindingWebhook   = "identitybindings.kube-imds.io"

	// workloadIdentityWebhook is called for pods that ask only as manifests for azure-workload-identity do, and elsewhereWebhook
	// for those of them on which its own webhook has acted.
	workloadIdentityWebhook = "workload-identity.kube-imds.io"
	elsewhereWebhook        = "workload-identity-elsewhere.kube-imds.io"
)

// Options configure injected pods.
type Options struct {
	// SidecarImage is the image of the sidecar and net-init.
	SidecarImage    string
	ImagePullPolicy corev1.PullPolicy

	SidecarResources corev1.ResourceRequirements
	NetInitResources corev1.ResourceRequirements

	// SidecarLogLevel is the sidecar's log level: debug, info or error. The default is info.
	SidecarLogLevel string

	// AzureLimits applies the rate limits of Azure's IMDS.
	AzureLimits bool

	// Interception is how requests reach the sidecar. SidecarPort is the loopback port for pods that name no other.
	Interception Interception
	SidecarPort  int32

	// IssuerURL is the address of the node's issuer.
	IssuerURL string

	// CABundle returns the PEM certificates of the authorities that sign the issuers' certificates; nil until there are
	// any. A pod starts with them.
	CABundle func(context.Context) []byte

	// WorkloadIdentity makes pods with the label of azure-workload-identity get what its webhook would give them.
	WorkloadIdentity bool

	// AzureEnvironment is the Azure cloud by its name in IMDS, and TenantID the tenant of identities that name none.
	AzureEnvironment, TenantID string

	// TokenEndpoint reports whether issuers serve the token endpoint.
	TokenEndpoint bool

	// AzureServices are the Services, in a namespace, behind which resources with host names of Azure are: those of the kinds that the
	// installation serves.
	AzureServices map[*azurehost.Kind]client.ObjectKey

	// TrustName is the name of the ConfigMap, in the pod's namespace, that keeps them current.
	TrustName string
}

// SetupWithManager registers the webhooks with the manager's webhook server.
func (o Options) SetupWithManager(manager ctrl.Manager) error {
	pods := &mutator{
		options: o,
		lookup:  lookup{cached: manager.GetClient(), live: manager.GetAPIReader()},
		room:    newRoom(),
		parts:   new(partsCache),
		events:  manager.GetEventRecorder("kube-imds"),
		log:     ctrl.Log.WithName("audit"),
	}
	labelled := *pods
	labelled.onlyLabelled = true
	for name, handler := range map[string]*mutator{
		podWebhook: pods, namespaceWebhook: pods, workloadIdentityWebhook: &labelled, elsewhereWebhook: &labelled,
	} {
		manager.GetWebhookServer().Register(capability.Route(name), handler)
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
