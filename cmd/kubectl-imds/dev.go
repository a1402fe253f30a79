package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/internal/dev"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

const devLong = `Answer as Azure's Instance Metadata Service (IMDS) on this machine, without a cluster and without Azure.

One process is a pod's IMDS, the issuer that signs its tokens, and the OpenID Connect discovery and JWKS by which
programs on this machine can verify them. It prints the environment variables that point Azure SDKs at it.

A YAML file (-f) describes the pod and what is around it, with the objects that a cluster takes:

- ManagedIdentity and IdentityBinding, granted by the same rules: an identity must admit the pod's ServiceAccount. The Pod's
  annotation or the IdentityBindings say what the pod asks for; without any, it asks for every identity in the file, and the
  first one is the default. The same names give the same IDs as in a cluster with the chart's defaults.
- a Pod: its name, labels, annotations and addresses are those of the virtual machine in instance metadata; with
  metadata.deletionTimestamp it has a scheduled event.
- a Node: its labels and provider ID give size, region and zone; cordon or taint it for scheduled events.
- Services of type LoadBalancer with addresses in their status, for /metadata/loadbalancer.

With --key-vault a YAML file describes Key Vaults, which are served beside it over TLS, for the same tokens:

- KeyVault: https://NAME.vault.localhost:8254, with secrets, keys and certificates as in a cluster.
- RoleAssignment: who may do what there. A token alone opens nothing.
- a Secret with the label kube-imds.io/key-vault: NAME: each of its entries is a secret that the vault has at first.

It prints what makes clients trust the vaults' certificate. What is in the vaults is in memory, or in the folder
--key-vault-data, which keeps it for the next start.

The files are watched, so that a client can be seen to react. A mistake in a later version is logged, and the version before
still holds. Without identities there is one that admits every pod.

It listens on loopback only. Every user and process of this machine can have its tokens; only programs that you configure
to trust this issuer accept them.

With --claim-address (Linux, as root) it adds 169.254.169.254 to the device lo and serves there too, so that SDKs find it
with no variable set. The address is given back when it ends. As long as it runs, it hides a cloud's own IMDS from
this machine: do not use it on a virtual machine of a cloud whose processes need theirs.`

const devExample = `  # One generated identity
  kubectl imds dev

  # The identities of a file, as a pod of the ServiceAccount shop/orders has them
  kubectl imds dev -f identities.yaml --namespace shop --service-account orders

  # A whole pod, its node and its load balancers, with every answer in the log
  kubectl imds dev -f pod.yaml -f node.yaml -f services.yaml --log-level debug

  # With a Key Vault, whose secrets outlive the process
  kubectl imds dev -f identities.yaml --key-vault vault.yaml --key-vault-data ~/.kube-imds-dev

  # At 169.254.169.254, for programs that cannot be pointed elsewhere
  sudo kubectl-imds dev --claim-address`

// devOptions are the flags of dev.
type devOptions struct {
	logLevel   slog.Level
	vaultFiles []string
	dev        dev.Dev
}

func newDevCommand() *cobra.Command {
	var o devOptions
	command := &cobra.Command{
		Use:     "dev",
		Short:   "Answer as Azure's IMDS on this machine, without a cluster",
		Long:    devLong,
		Example: devExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&o.dev.Files.Paths, "file", "f", nil,
		"a YAML `file` of ManagedIdentities, IdentityBindings, a Pod, a Node and Services, which is watched; may be repeated; - is standard input")
	flags.StringVar(&o.dev.Listen, "listen", "127.0.0.1:8253", "the loopback `address` to listen on; port 0 takes any")
	flags.BoolVar(&o.dev.ClaimAddress, "claim-address", false, "on Linux as root, serve on 169.254.169.254:80 too")
	flags.StringArrayVar(&o.vaultFiles, "key-vault", nil,
		"serve the Key Vaults of a YAML `file` of KeyVaults, RoleAssignments and Secrets, which is watched; it may have what -f takes; may be repeated")
	flags.StringVar(&o.dev.KeyVault.Data, "key-vault-data", "", "a `folder` that keeps what is in the vaults; the default is memory")
	flags.StringVar(&o.dev.KeyVault.Listen, "key-vault-listen", "127.0.0.1:8254", "the loopback `address` of the vaults; port 0 takes any")
	flags.StringVarP(&o.dev.Pod.Namespace, "namespace", "n", "default", "the `namespace` of the pod, and of objects that name none")
	flags.StringVar(&o.dev.Pod.ServiceAccount, "service-account", "default", "the `name` of the pod's ServiceAccount, if the file has no Pod that names one")
	flags.StringToStringVar(&o.dev.Pod.NamespaceLabels, "namespace-labels", nil,
		"`labels` of the namespace, as in team=shop,tier=web, for identities that select namespaces")
	flags.StringVar((*string)(&o.dev.Defaults.TenantID), "tenant", "28a37578-cd01-54f5-804a-52ef0695644e",
		"the tenant's `ID`, where an identity names none")
	flags.StringVar(&o.dev.Defaults.SubscriptionID, "subscription-id", "41bc4f06-ae25-5cea-b0fc-fba992c50ddb",
		"the subscription's `ID` in resource IDs and instance metadata")
	flags.StringVar(&o.dev.Defaults.ResourceGroup, "resource-group", "kube-imds",
		"the resource `group` in resource IDs and instance metadata")
	flags.StringVar(&o.dev.Metadata.Location, "location", "local", "the `location` in instance metadata where the Node has no region")
	flags.StringVar(&o.dev.Metadata.VMSize, "vm-size", "Standard_D2s_v3", "the `size` in instance metadata where the Node has no instance type")
	flags.StringSliceVar(&o.dev.EntraResources, "entra-issuer-resources", []string{"https://storage.azure.com"},
		"`resources` whose tokens name Entra ID as their issuer, for validators with Microsoft's issuers built in")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "the log's `level`: DEBUG, which has every request and answer without its token, INFO, WARN or ERROR")
	return command
}

func (o *devOptions) run(ctx context.Context, input io.Reader, output, log io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	o.dev.Files.Paths, o.dev.KeyVault.Enabled = append(o.dev.Files.Paths, o.vaultFiles...), len(o.vaultFiles) > 0
	o.dev.Files.Namespace, o.dev.Files.Input = o.dev.Pod.Namespace, input
	o.dev.Metadata.SubscriptionID, o.dev.Metadata.ResourceGroup = o.dev.Defaults.SubscriptionID, o.dev.Defaults.ResourceGroup
	o.dev.Metadata.Environment = "AzurePublicCloud"
	o.dev.Output, o.dev.Logger = output, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: o.logLevel}))
	return o.dev.Run(ctx)
}

// check rejects values that no cluster would accept.
func (o *devOptions) check() error {
	var err error
	if o.dev.Defaults.TenantID, err = identifier.ParseGUID(string(o.dev.Defaults.TenantID)); err != nil {
		return fmt.Errorf("read --tenant: %w", err)
	}
	if complaints := validation.IsDNS1123Label(o.dev.Pod.Namespace); len(complaints) > 0 {
		return fmt.Errorf("read --namespace: %q: %s", o.dev.Pod.Namespace, complaints[0])
	}
	if complaints := validation.IsDNS1123Subdomain(o.dev.Pod.ServiceAccount); len(complaints) > 0 {
		return fmt.Errorf("read --service-account: %q: %s", o.dev.Pod.ServiceAccount, complaints[0])
	}
	if o.dev.KeyVault.Data != "" && len(o.vaultFiles) == 0 {
		return errors.New("--key-vault-data is the folder of the vaults that --key-vault FILE describes, and that is missing")
	}
	return nil
}
