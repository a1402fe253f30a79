package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/dev"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
)

const devLong = `Answer as Azure's Instance Metadata Service (IMDS) on this machine, without a cluster and without Azure.

One process is a pod's IMDS, the issuer that signs its tokens, and the OpenID Connect discovery and JWKS by which
anybody on this machine can verify them. It prints the environment variables that point Azure SDKs at it.

Identities come from a YAML file of the same objects that a cluster takes, ManagedIdentity and IdentityBinding, and are
granted by the same rules: an identity must admit the ServiceAccount of --namespace and --service-account. Where the
file has IdentityBindings, they say what the pod asks for; without any, it asks for every identity in the file, and the
first one is the default. Without a file there is one identity that admits everybody. The same names give the same IDs
as in a cluster that the chart was installed into with its defaults.

It listens on loopback only. Every user and process of this machine can have its tokens; nothing but what is told of
this issuer trusts them.

With --claim-address (Linux, as root) it adds 169.254.169.254 to the device lo and serves there too, so that SDKs find it
with no variable set. The address is given back when it ends. As long as it runs, it hides a cloud's own IMDS from
this machine: do not use it on a virtual machine of a cloud whose processes need theirs.`

const devExample = `  # One generated identity
  kubectl imds dev

  # The identities of a file, as a pod of the ServiceAccount shop/orders has them
  kubectl imds dev -f identities.yaml --namespace shop --service-account orders

  # At 169.254.169.254, for programs that cannot be pointed elsewhere
  sudo kubectl-imds dev --claim-address`

// devOptions are the flags of dev.
type devOptions struct {
	file     string
	logLevel slog.Level
	dev      dev.Dev
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
	flags.StringVarP(&o.file, "file", "f", "", "a YAML `file` of ManagedIdentities and IdentityBindings; - is standard input")
	flags.StringVar(&o.dev.Listen, "listen", "127.0.0.1:8253", "the loopback `address` to listen on; port 0 takes any")
	flags.BoolVar(&o.dev.ClaimAddress, "claim-address", false, "on Linux as root, serve on 169.254.169.254:80 too")
	flags.StringVarP(&o.dev.Pod.Namespace, "namespace", "n", "default", "the `namespace` of the pod that asks")
	flags.StringVar(&o.dev.Pod.ServiceAccount, "service-account", "default", "the `name` of the ServiceAccount of the pod that asks")
	flags.StringToStringVar(&o.dev.Pod.NamespaceLabels, "namespace-labels", nil,
		"`labels` of the namespace, as in team=shop,tier=web, for identities that select namespaces")
	flags.StringVar((*string)(&o.dev.Defaults.TenantID), "tenant", "28a37578-cd01-54f5-804a-52ef0695644e",
		"the tenant's `ID`, where an identity names none")
	flags.StringVar(&o.dev.Defaults.SubscriptionID, "subscription-id", "41bc4f06-ae25-5cea-b0fc-fba992c50ddb",
		"the subscription's `ID` in resource IDs and instance metadata")
	flags.StringVar(&o.dev.Defaults.ResourceGroup, "resource-group", "kube-imds",
		"the resource `group` in resource IDs and instance metadata")
	flags.StringVar(&o.dev.Metadata.Location, "location", "local", "the `location` in instance metadata")
	flags.StringSliceVar(&o.dev.EntraResources, "entra-issuer-resources", []string{"https://storage.azure.com"},
		"`resources` whose tokens name Entra ID as their issuer, for validators with Microsoft's issuers built in")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "the log's `level`: DEBUG, which tells of every request, INFO, WARN or ERROR")
	return command
}

func (o *devOptions) run(ctx context.Context, input io.Reader, output, errors io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	objects, err := o.objects(input)
	if err != nil {
		return err
	}
	o.dev.Objects = objects
	o.dev.Metadata = machine.Defaults{
		SubscriptionID: o.dev.Defaults.SubscriptionID, ResourceGroup: o.dev.Defaults.ResourceGroup,
		Location: o.dev.Metadata.Location, Environment: "AzurePublicCloud",
	}
	o.dev.Output, o.dev.Logger = output, slog.New(slog.NewTextHandler(errors, &slog.HandlerOptions{Level: o.logLevel}))
	return o.dev.Run(ctx)
}

// check refuses flags that no cluster would have.
func (o *devOptions) check() error {
	tenant := string(o.dev.Defaults.TenantID)
	if uuid.Validate(tenant) != nil || len(tenant) != 36 {
		return fmt.Errorf("read --tenant: %q is no GUID, as in 28a37578-cd01-54f5-804a-52ef0695644e", tenant)
	}
	o.dev.Defaults.TenantID = v1alpha1.GUID(strings.ToLower(tenant))
	if complaints := validation.IsDNS1123Label(o.dev.Pod.Namespace); len(complaints) > 0 {
		return fmt.Errorf("read --namespace: %q: %s", o.dev.Pod.Namespace, complaints[0])
	}
	if complaints := validation.IsDNS1123Subdomain(o.dev.Pod.ServiceAccount); len(complaints) > 0 {
		return fmt.Errorf("read --service-account: %q: %s", o.dev.Pod.ServiceAccount, complaints[0])
	}
	return nil
}

// objects reads the file, or makes up an identity.
func (o *devOptions) objects(input io.Reader) (*manifest.Manifest, error) {
	switch o.file {
	case "":
		return dev.Generated(), nil
	case "-":
		content, err := io.ReadAll(input)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return manifest.Parse("standard input", content, o.dev.Pod.Namespace)
	}
	content, err := os.ReadFile(o.file)
	if err != nil {
		return nil, fmt.Errorf("read the identities: %w", err)
	}
	return manifest.Parse(o.file, content, o.dev.Pod.Namespace)
}
