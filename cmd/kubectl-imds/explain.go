package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/explain"
)

const explainLong = `Explain which managed identities pods are granted, and why not others.

Name a pod, an object with a pod template, such as deploy/orders, or a ServiceAccount, such as serviceaccount/orders, for
its pods that have no annotations. The answer says what the pods ask for and where, what they are granted, and for each
refusal what to do. It is the same decision that the webhook, the issuer and the signer make.

With -f it explains the pods of a file's objects as if the file were applied: its ServiceAccounts, Namespaces,
IdentityBindings and ManagedIdentities take the place of those in the cluster. With names too, it explains those of the
cluster as if the file were applied.

What the identities may do at a Key Vault is explained by kubectl imds explain vault. (A pod of that name is pod/vault.)

It needs the rights to get the object, its ServiceAccount and namespace and the ManagedIdentities, and to list the
namespace's IdentityBindings.`

const explainExample = `  # A pod
  kubectl imds explain orders-7d4b9c-x2x5k

  # The pods of a Deployment, and those of a ServiceAccount
  kubectl imds explain deploy/orders
  kubectl imds explain serviceaccount/orders --namespace shop

  # What a manifest would get
  kubectl imds explain -f orders.yaml -o yaml`

// explainOptions are the flags of explain.
type explainOptions struct {
	cluster cluster
	files   []string
	output  string
}

// The formats of explain's output.
var explainFormats = []string{"table", "json", "yaml"}

func newExplainCommand() *cobra.Command {
	var o explainOptions
	command := &cobra.Command{
		Use:     "explain [NAME | TYPE/NAME]... [-f FILE]...",
		Short:   "Explain which managed identities pods are granted, and why not others",
		Long:    explainLong,
		Example: explainExample,
		RunE: func(command *cobra.Command, names []string) error {
			if len(names) == 0 && len(o.files) == 0 {
				return errors.New("name a pod, an object with a pod template or a ServiceAccount, or a file with -f")
			}
			if !slices.Contains(explainFormats, o.output) {
				return fmt.Errorf("read --output: unknown format %q: want one of %v", o.output, explainFormats)
			}
			return o.run(command.Context(), names, command.InOrStdin(), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "a `file`, folder or URL of objects; may be repeated; - is standard input")
	flags.StringVarP(&o.output, "output", "o", "table", "the `format`: table, json or yaml")
	o.cluster = newCluster(flags)
	command.AddCommand(newExplainVaultCommand())
	return command
}

func (o *explainOptions) run(ctx context.Context, names []string, input io.Reader, output io.Writer) error {
	client, namespace, err := o.cluster.client()
	if err != nil {
		return err
	}
	overlay := &explain.Overlay{Reader: directory.Caches{Reader: client}}
	workloads, err := o.fromFiles(overlay, namespace, input)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		if workloads, err = o.fromCluster(names, namespace); err != nil {
			return err
		}
	}
	var explanations []*explain.Explanation
	for _, workload := range workloads {
		explanation, err := explain.Explain(ctx, overlay, workload)
		if err != nil {
			return fmt.Errorf("explain the %s %s: %w", workload.Kind, workload.Name, err)
		}
		explanations = append(explanations, explanation)
	}
	return printAll(explanations, o.output, output)
}

// fromCluster reads the named objects.
func (o *explainOptions) fromCluster(names []string, namespace string) ([]*explain.Workload, error) {
	found, err := resource.NewBuilder(o.cluster).Unstructured().NamespaceParam(namespace).DefaultNamespace().
		ResourceNames("pods", names...).Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	var workloads []*explain.Workload
	for _, info := range found {
		workload, err := explain.WorkloadOf(info.Object.(*unstructured.Unstructured), true)
		if err != nil {
			return nil, err
		}
		workloads = append(workloads, workload)
	}
	return workloads, nil
}

// fromFiles reads the files' objects into the overlay, and returns those with pods. Without any, it returns the ServiceAccounts.
func (o *explainOptions) fromFiles(overlay *explain.Overlay, namespace string, input io.Reader) ([]*explain.Workload, error) {
	if len(o.files) == 0 {
		return nil, nil
	}
	objects, err := o.readFiles(input)
	if err != nil {
		return nil, err
	}
	var workloads, accounts []*explain.Workload
	for _, object := range objects {
		if kind := object.GetKind(); object.GetNamespace() == "" && kind != "Namespace" && kind != "ManagedIdentity" {
			object.SetNamespace(namespace)
		}
		added, err := overlay.Add(object)
		if err != nil {
			return nil, err
		}
		workload, err := explain.WorkloadOf(object, false)
		switch {
		case err == nil && added:
			accounts = append(accounts, workload)
		case err == nil:
			workloads = append(workloads, workload)
		case !errors.Is(err, explain.ErrNoPods):
			return nil, err
		}
	}
	if len(workloads) == 0 {
		return accounts, nil
	}
	return workloads, nil
}

func (o *explainOptions) readFiles(input io.Reader) ([]*unstructured.Unstructured, error) {
	builder := resource.NewBuilder(o.cluster).Unstructured().Local().ContinueOnError()
	for _, file := range o.files {
		if file == "-" {
			builder.Stream(input, "standard input")
			continue
		}
		builder.FilenameParam(false, &resource.FilenameOptions{Filenames: []string{file}})
	}
	found, err := builder.Flatten().Do().Infos()
	if err != nil {
		return nil, fmt.Errorf("read the files: %w", err)
	}
	var objects []*unstructured.Unstructured
	for _, info := range found {
		objects = append(objects, info.Object.(*unstructured.Unstructured))
	}
	return objects, nil
}

// printAll prints explanations in a format.
func printAll[T interface{ Print(output io.Writer) error }](explanations []T, format string, output io.Writer) error {
	if format == "table" {
		for i, explanation := range explanations {
			if i > 0 {
				fmt.Fprintln(output)
			}
			if err := explanation.Print(output); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.MarshalIndent(explanations, "", "  ")
	if err == nil && format == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return fmt.Errorf("print the explanations: %w", err)
	}
	_, err = fmt.Fprintf(output, "%s\n", bytes.TrimSuffix(text, []byte("\n")))
	return err
}
