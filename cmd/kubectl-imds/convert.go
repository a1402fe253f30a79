package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kube-imds/kube-imds/internal/convert"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

const convertLong = `Convert manifests of aad-pod-identity and azure-workload-identity to ManagedIdentities and IdentityBindings.

From aad-pod-identity it reads AzureIdentities, AzureIdentityBindings, and the Pods, Deployments, ReplicaSets, StatefulSets,
DaemonSets, Jobs and CronJobs whose pods have the label aadpodidbinding: their ServiceAccounts are granted the identities that
the label selects. From azure-workload-identity it reads ServiceAccounts with the annotation
azure.workload.identity/client-id. It skips other objects, and asks no cluster.

The output is applied with kubectl apply as it is. Convert the objects of all namespaces together, because an identity lists
all its ServiceAccounts. A ManagedIdentity is named NAMESPACE-NAME after its AzureIdentity, or the first ServiceAccount with
its client ID; if that is too long or taken by another, it ends in digits made of the client ID. An IdentityBinding has the
name of its ServiceAccount.

Standard error has a line for each object that was not converted, with the reason and the way out, for what is different
afterwards, and for what to change in pods. The exit status is 3 if something was not converted, and 1 if the input or the
command line has a mistake; then nothing is printed.`

const convertExample = `  # What a cluster has, read before it is applied
  kubectl get azureidentities,azureidentitybindings,azurepodidentityexceptions,serviceaccounts,pods,deployments,statefulsets,daemonsets,jobs,cronjobs \
    --all-namespaces -o json | kubectl imds convert -f - --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 > imds.yaml
  kubectl apply -f imds.yaml

  # Manifests
  kubectl imds convert -f identities.yaml -f deployment.yaml --namespace shop

  # Where MIC runs with --forceNamespaced
  kubectl imds convert -f identities.yaml --namespaced`

// errLeftovers is the error of a conversion that has printed what it could.
var errLeftovers = errors.New("not everything was converted")

// convertOptions are the flags of convert.
type convertOptions struct {
	files     []string
	output    string
	namespace string
	tenant    string
	convert   convert.Options
}

func newConvertCommand() *cobra.Command {
	var o convertOptions
	command := &cobra.Command{
		Use:     "convert -f FILE...",
		Short:   "Convert manifests of aad-pod-identity and azure-workload-identity",
		Long:    convertLong,
		Example: convertExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "a `file` of YAML or JSON documents, of which some may be Lists; may be repeated; - is standard input")
	flags.StringVarP(&o.output, "output", "o", "yaml", "the `format`: yaml or json")
	flags.StringVarP(&o.namespace, "namespace", "n", "default", "the `namespace` of objects that name none")
	flags.StringVar(&o.tenant, "tenant", "", "the tenant's `ID`, where an identity names none")
	flags.BoolVar(&o.convert.Namespaced, "namespaced", false, "grant an AzureIdentity to pods of its own namespace only, as MIC does with --forceNamespaced")
	return command
}

// check rejects flags that make no sense.
func (o *convertOptions) check() error {
	if len(o.files) == 0 {
		return errors.New("name a file with -f, or - for standard input")
	}
	if formats := []string{"yaml", "json"}; !slices.Contains(formats, o.output) {
		return fmt.Errorf("read --output: unknown format %q: want one of %v", o.output, formats)
	}
	if complaints := validation.IsDNS1123Label(o.namespace); len(complaints) > 0 {
		return fmt.Errorf("read --namespace: %q: %s", o.namespace, complaints[0])
	}
	if o.tenant == "" {
		return nil
	}
	var err error
	if o.convert.Tenant, err = identifier.ParseGUID(o.tenant); err != nil {
		return fmt.Errorf("read --tenant: %w", err)
	}
	return nil
}

func (o *convertOptions) run(input io.Reader, output, report io.Writer) error {
	manifests := &convert.Manifests{Namespace: o.namespace}
	for _, file := range o.files {
		if err := readManifests(manifests, file, input); err != nil {
			return err
		}
	}
	result := manifests.Convert(o.convert)
	if result.Empty() {
		return errors.New("the input has no AzureIdentity and no ServiceAccount with the annotation azure.workload.identity/client-id")
	}
	printObjects := result.PrintYAML
	if o.output == "json" {
		printObjects = result.PrintJSON
	}
	if err := errors.Join(printObjects(output), result.Report(report)); err != nil {
		return err
	}
	if len(result.Leftovers) > 0 {
		return errLeftovers
	}
	return nil
}

func readManifests(manifests *convert.Manifests, file string, input io.Reader) error {
	if file == "-" {
		return manifests.Read("standard input", input)
	}
	opened, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the files: %w", err)
	}
	defer opened.Close()
	return manifests.Read(file, opened)
}
