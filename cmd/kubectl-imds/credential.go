package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/census"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/federation/installation"
)

// formats print a credential.
var formats = map[string]func(federation.Credential) string{
	"az":        func(c federation.Credential) string { return c.AzureCLI() + "\n" },
	"bicep":     federation.Credential.Bicep,
	"terraform": federation.Credential.Terraform,
}

// formatNames are in the order of the help.
var formatNames = []string{"az", "bicep", "terraform"}

func newCredentialCommand() *cobra.Command {
	o := &federationOptions{}
	var format string
	command := &cobra.Command{
		Use:   "credential NAME",
		Short: "Print the federated credential that an identity needs in Entra ID",
		Long: `Print the federated identity credential that an identity needs in Entra ID: one, whichever ServiceAccounts may assume it. An
identity with entra.assertion ServiceAccount needs one for each ServiceAccount that it is granted to, of which Entra ID takes 20. It
takes effect some minutes after it is created.`,
		Example: `  # Create it with the Azure CLI
  kubectl imds federation credential orders | sh

  # As a resource of Bicep
  kubectl imds federation credential orders -o bicep`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			render, known := formats[format]
			if !known {
				return fmt.Errorf("unknown format %q: want %s", format, strings.Join(formatNames, ", "))
			}
			credentials, err := o.credentials(command.Context(), arguments[0], command.ErrOrStderr())
			if err != nil {
				return err
			}
			for _, credential := range credentials {
				if _, err := fmt.Fprint(command.OutOrStdout(), render(credential)); err != nil {
					return fmt.Errorf("print the credential: %w", err)
				}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVarP(&format, "output", "o", formatNames[0], "the `format`: "+strings.Join(formatNames, ", "))
	o.cluster = newCluster(flags)
	return command
}

// maxCredentials is how many federated credentials Entra ID takes for an identity.
const maxCredentials = 20

// credentials returns the federated credentials that an identity needs.
func (o *federationOptions) credentials(ctx context.Context, name string, warnings io.Writer) ([]federation.Credential, error) {
	reader, _, err := o.cluster.client()
	if err != nil {
		return nil, err
	}
	var identity v1alpha1.ManagedIdentity
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, &identity); err != nil {
		return nil, fmt.Errorf("read the ManagedIdentity: %w", err)
	}
	if identity.Spec.TokenSource != v1alpha1.TokenSourceEntra {
		return nil, fmt.Errorf("ManagedIdentity %q has the tokenSource %s: its tokens do not come from Entra ID",
			identity.Name, identity.Spec.TokenSource)
	}
	if entra.AssertsServiceAccount(&identity) {
		return o.credentialsOfAccounts(ctx, reader, &identity, warnings)
	}
	found, err := installation.Find(ctx, reader, *o.cluster.Namespace)
	if err != nil {
		return nil, err
	}
	return []federation.Credential{found.Issuer.CredentialFor(&identity, entra.AudienceFor(&identity, found.Environment))}, nil
}

// credentialsOfAccounts returns a credential for each ServiceAccount that an identity is granted to.
func (o *federationOptions) credentialsOfAccounts(ctx context.Context, reader client.Client, identity *v1alpha1.ManagedIdentity, warnings io.Writer) ([]federation.Credential, error) {
	issuer, err := o.cluster.issuer(ctx)
	if err != nil {
		return nil, err
	}
	environment, err := installation.Environment(ctx, reader, *o.cluster.Namespace)
	if err != nil {
		return nil, err
	}
	accounts, err := census.Search(ctx, reader, identity, true)
	if err != nil {
		return nil, err
	}
	switch {
	case len(accounts) == 0:
		return nil, fmt.Errorf("ManagedIdentity %q is granted to no ServiceAccount yet: annotate or bind one first", identity.Name)
	case len(accounts) > maxCredentials:
		fmt.Fprintf(warnings, "%d ServiceAccounts need a credential, and Entra ID takes %d for an identity: entra.assertion Identity needs one for all\n",
			len(accounts), maxCredentials)
	}
	var credentials []federation.Credential
	for _, account := range accounts {
		credentials = append(credentials, federation.CredentialOfAccount(issuer, account, identity, entra.AudienceFor(identity, environment)))
	}
	return credentials, nil
}

// issuer returns the URL of the issuer of the cluster's ServiceAccount tokens.
func (c cluster) issuer(ctx context.Context) (string, error) {
	config, err := c.ToRESTConfig()
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	api, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", fmt.Errorf("connect to the cluster: %w", err)
	}
	content, err := api.RESTClient().Get().AbsPath("/.well-known/openid-configuration").Do(ctx).Raw()
	if err != nil {
		return "", fmt.Errorf("read the discovery document of the cluster's issuer: %w", err)
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(content, &document); err != nil || document.Issuer == "" {
		return "", fmt.Errorf("the discovery document of the cluster's issuer names no issuer")
	}
	return document.Issuer, nil
}
