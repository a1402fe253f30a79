package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/explain"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

const explainVaultLong = `Explain what an identity, or the identities of a pod, may do at a Key Vault of this cluster, and by which RoleAssignments.

With --operation or --action it says whether they may do one thing: by which RoleAssignments, or which come close and why
they do not do, and what to create. It is the same decision that the vault makes.

It needs the rights to get the KeyVault and the ManagedIdentities, and to list the RoleAssignments of the vault's
namespace; with --pod also those that kubectl imds explain needs for the pod.`

const explainVaultExample = `  # All that an identity may do
  kubectl imds explain vault shop/orders --identity orders

  # Whether a pod may read a secret
  kubectl imds explain vault shop/orders --pod shop/orders-7d4b9c-x2x5k --operation "get secret" --object secrets/db-password

  # Why the vault answered ForbiddenByRbac: its message names the action
  kubectl imds explain vault shop/orders --identity orders --action Microsoft.KeyVault/vaults/secrets/setSecret/action`

// explainVaultOptions are the flags of explain vault.
type explainVaultOptions struct {
	cluster       cluster
	identity, pod string
	operation     string
	action        string
	object        string
	output        string
}

func newExplainVaultCommand() *cobra.Command {
	var o explainVaultOptions
	command := &cobra.Command{
		Use:     "vault [NAMESPACE/]NAME (--identity NAME | --pod [NAMESPACE/]NAME)",
		Short:   "Explain what identities may do at a Key Vault",
		Long:    explainVaultLong,
		Example: explainVaultExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			return o.run(command.Context(), names[0], command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.identity, "identity", "", "the `name` of a ManagedIdentity")
	flags.StringVar(&o.pod, "pod", "", "a pod, as `[namespace/]name`, for the identities that it is granted")
	flags.StringVar(&o.operation, "operation", "", "an `operation` in words, such as \"get secret\" or \"sign\"")
	flags.StringVar(&o.action, "action", "", "an `action` by its name in Azure, instead of an operation")
	flags.StringVar(&o.object, "object", "", "the `object`, such as secrets/NAME, keys/NAME or certificates/NAME; the default is the vault itself")
	flags.StringVarP(&o.output, "output", "o", "table", "the `format`: table, json or yaml")
	command.MarkFlagsOneRequired("identity", "pod")
	command.MarkFlagsMutuallyExclusive("identity", "pod")
	command.MarkFlagsMutuallyExclusive("operation", "action")
	o.cluster = newCluster(flags)
	return command
}

func (o *explainVaultOptions) run(ctx context.Context, name string, output io.Writer) error {
	question, err := o.question()
	if err != nil {
		return err
	}
	reader, namespace, err := o.cluster.client()
	if err != nil {
		return err
	}
	question.Vault = &v1alpha1.KeyVault{}
	if err := reader.Get(ctx, keyOf(name, namespace), question.Vault); err != nil {
		return fmt.Errorf("read the KeyVault: %w", err)
	}
	identities, err := o.identities(ctx, reader, namespace)
	if err != nil {
		return err
	}
	var answers []*explain.Access
	for _, identity := range identities {
		answer, err := question.Ask(ctx, reader, identity)
		if err != nil {
			return fmt.Errorf("explain what ManagedIdentity %s may do: %w", identity.Name, err)
		}
		answers = append(answers, answer)
	}
	return printAll(answers, o.output, output)
}

// question reads the flags.
func (o *explainVaultOptions) question() (question explain.Question, err error) {
	if !slices.Contains(explainFormats, o.output) {
		return question, fmt.Errorf("read --output: unknown format %q: want one of %v", o.output, explainFormats)
	}
	if text := o.operation + o.action; text != "" {
		action, found := role.FindAction(text)
		if !found {
			return question, fmt.Errorf("there is no operation or action %q: the operations are %s", text, operations())
		}
		question.Action = action
	}
	if o.object != "" {
		kind, name, _ := strings.Cut(o.object, "/")
		if name == "" || !slices.Contains([]string{role.Secrets, role.Keys, role.Certificates}, kind) {
			return question, fmt.Errorf("read --object: %q is not like secrets/NAME, keys/NAME or certificates/NAME", o.object)
		}
		question.Object = role.Object{Kind: kind, Name: name}
	}
	return question, nil
}

func operations() string {
	var all []string
	for _, one := range role.Operations() {
		all = append(all, one.Words)
	}
	return strings.Join(all, ", ")
}

// identities returns the identity of the flags, or those that their pod is granted.
func (o *explainVaultOptions) identities(ctx context.Context, reader client.Client, namespace string) ([]*v1alpha1.ManagedIdentity, error) {
	names := []string{o.identity}
	if o.pod != "" {
		var err error
		if names, err = granted(ctx, reader, keyOf(o.pod, namespace)); err != nil {
			return nil, err
		}
	}
	var identities []*v1alpha1.ManagedIdentity
	for _, name := range names {
		identity := &v1alpha1.ManagedIdentity{}
		if err := reader.Get(ctx, client.ObjectKey{Name: name}, identity); err != nil {
			return nil, fmt.Errorf("read the ManagedIdentity: %w", err)
		}
		identities = append(identities, identity)
	}
	return identities, nil
}

// granted returns the names of the identities that a pod is granted.
func granted(ctx context.Context, reader client.Client, key client.ObjectKey) ([]string, error) {
	var pod corev1.Pod
	if err := reader.Get(ctx, key, &pod); err != nil {
		return nil, fmt.Errorf("read the pod: %w", err)
	}
	explanation, err := explain.Explain(ctx, directory.Caches{Reader: reader}, &explain.Workload{Kind: "Pod", Name: pod.Name, Exists: true, Pod: &pod})
	if err != nil {
		return nil, fmt.Errorf("explain the pod %s: %w", key, err)
	}
	var names []string
	for _, one := range explanation.Granted {
		names = append(names, one.Identity)
	}
	if len(names) == 0 {
		return nil, errors.New("the pod is granted no identity: kubectl imds explain " + key.Name + " --namespace " + key.Namespace + " says why")
	}
	return names, nil
}

// keyOf returns the key of an object that is named with its namespace or without.
func keyOf(name, namespace string) client.ObjectKey {
	if before, after, found := strings.Cut(name, "/"); found {
		return client.ObjectKey{Namespace: before, Name: after}
	}
	return client.ObjectKey{Namespace: namespace, Name: name}
}
