// Command controller reconciles the kinds of kube-imds and injects pods at admission.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
	"github.com/kube-imds/kube-imds/webhook"
)

// version is set by the linker.
var version = "dev"

func main() { process.Main(newCommand()) }

// options are the settings from the command line and the environment.
type options struct {
	process.Flags
	tenantID       string
	subscriptionID string
	resourceGroup  string
	federated      bool

	countUninjected bool
	keyVault        bool
	storage         bool
	apis            bool

	publicVaultHosts, publicStorageHosts []string

	workloadIdentity bool
	tokenEndpoint    bool
	azureEnvironment string

	sidecarImage           string
	sidecarImagePullPolicy string
	sidecarResources       resources
	sidecarAzureLimits     bool
	sidecarInterception    webhook.Interception
	sidecarPort            uint16
	netInitResources       resources

	authority keyring.Policy

	webhookPort int
}

func newCommand() *cobra.Command {
	o := options{sidecarInterception: webhook.Redirect}
	command := o.Command(install.Controller, "The controller of kube-imds: reconciles its kinds and injects pods", version,
		func(ctx context.Context) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of identities that name none")
	flags.StringVar(&o.subscriptionID, "subscription-id", "", "the subscription `ID` in generated resource IDs")
	flags.StringVar(&o.resourceGroup, "resource-group", "kube-imds", "the resource `group` in generated resource IDs")
	flags.BoolVar(&o.federated, "federated", false, "whether there is a federation issuer, which identities of Entra ID need")
	flags.BoolVar(&o.countUninjected, "count-uninjected-pods", true,
		"whether to count the running pods without IMDS of ServiceAccounts that have identities, for conditions and events")
	flags.BoolVar(&o.keyVault, "key-vault", false, "whether this installation serves Key Vaults")
	flags.StringSliceVar(&o.publicVaultHosts, "public-vault-hosts", nil,
		"the host `names` of Azure that vaults may have, separated by commas: vault.azure.net for all below it, or whole names")
	flags.BoolVar(&o.storage, "storage", false, "whether this installation serves storage accounts")
	flags.StringSliceVar(&o.publicStorageHosts, "public-storage-hosts", nil,
		"the host `names` of Azure that storage accounts may have, separated by commas: blob.core.windows.net for all below it, or whole names")
	flags.BoolVar(&o.apis, "apis", false, "whether roles may be assigned at APIs behind gates of their own")
	flags.BoolVar(&o.workloadIdentity, "workload-identity", false,
		"whether pods with the label azure.workload.identity/use get what azure-workload-identity's webhook would give them")
	flags.BoolVar(&o.tokenEndpoint, "token-endpoint", false, "whether issuers serve the token endpoint for workload identity without Entra ID")
	flags.StringVar(&o.azureEnvironment, "azure-environment", "AzurePublicCloud", "the Azure `cloud` of identities that name no authority")
	flags.StringVar(&o.sidecarImage, "sidecar-image", "", "the `image` of the sidecar")
	flags.StringVar(&o.sidecarImagePullPolicy, "sidecar-image-pull-policy", string(corev1.PullIfNotPresent), "when the sidecar's image is pulled")
	flags.Var(&o.sidecarResources, "sidecar-resources", "the sidecar's requests and limits")
	flags.BoolVar(&o.sidecarAzureLimits, "sidecar-imds-limits", false, "whether sidecars limit requests as Azure's IMDS does")
	flags.Var(&o.sidecarInterception, "sidecar-interception",
		"how requests to 169.254.169.254:80 reach sidecars: redirect, by a rule in the pod's network; address, by listening there")
	flags.Uint16Var(&o.sidecarPort, "sidecar-port", settings.Port, "the loopback `port` that requests are redirected to")
	flags.Var(&o.netInitResources, "net-init-resources", "the requests and limits of net-init")
	flags.DurationVar(&o.authority.Every, "authority-rotate-every", authority.LongestTerm, "how `long` a key of the certificate authority signs")
	flags.DurationVar(&o.authority.Ahead, "authority-publish-ahead", 24*time.Hour, "how `long` its certificate is published before it signs")
	flags.IntVar(&o.webhookPort, "webhook-port", install.WebhookPort, "the `port` of the webhook")
	flags.Lookup("log-level").Usage += "; sidecars have the same"
	return command
}

func (o *options) check() error {
	if o.tenantID == "" || o.sidecarImage == "" {
		return errors.New("--tenant-id and --sidecar-image are needed")
	}
	if err := authority.Check(o.authority); err != nil {
		return fmt.Errorf("--authority-rotate-every and --authority-publish-ahead: %w", err)
	}
	return nil
}

// resources is a flag for a container's requests and limits in JSON.
type resources struct{ corev1.ResourceRequirements }

// Set parses the flag.
func (r *resources) Set(value string) error {
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r.ResourceRequirements); err != nil {
		return fmt.Errorf(`it must be JSON like {"requests":{"cpu":"5m"},"limits":{"memory":"64Mi"}}: %w`, err)
	}
	return nil
}

// String returns the flag's value.
func (r *resources) String() string {
	value, err := json.Marshal(r.ResourceRequirements)
	if err != nil {
		return ""
	}
	return string(value)
}

// Type returns the name of the value in --help.
func (r *resources) Type() string { return "JSON" }
