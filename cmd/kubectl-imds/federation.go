package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/federation/installation"
)

func newFederationCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "federation",
		Short: "Set up federation with Entra ID",
		Long: `Set up federation with Entra ID: publish the federation issuer's public files, check what Entra ID sees of them, and print
the federated credential of an identity.`,
	}
	command.AddCommand(newPublishCommand(), newFederationCheckCommand(), newCredentialCommand())
	return command
}

// federationOptions are the flags of all its commands.
type federationOptions struct {
	cluster cluster
}

func (o *federationOptions) find(ctx context.Context) (*installation.Installation, error) {
	reader, _, err := o.cluster.client()
	if err != nil {
		return nil, err
	}
	return installation.Find(ctx, reader, *o.cluster.Namespace)
}

const publishExample = `  # Write the files, and publish them as a static website
  kubectl imds federation publish --out public
  az storage blob upload-batch --account-name ACCOUNT --destination '$web' --source public \
    --content-type application/json --overwrite`

func newPublishCommand() *cobra.Command {
	var o federationOptions
	var out string
	command := &cobra.Command{
		Use:   "publish --out DIRECTORY",
		Short: "Write the public files of the federation issuer",
		Long: `Write the public files of the federation issuer: the discovery document and the public keys. Publish them at
federation.issuerURL of the chart's values, with the content type application/json. The signer uses a key only after it has
seen it there, so do this again when the metric kube_imds_signer_federation_published is 0.`,
		Example: publishExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := o.find(command.Context())
			if err != nil {
				return err
			}
			paths, err := found.Write(out)
			if err != nil {
				return err
			}
			for _, path := range paths {
				fmt.Fprintln(command.OutOrStdout(), path)
			}
			fmt.Fprintf(command.ErrOrStderr(), "Publish them at %s and look with: kubectl imds federation check\n", found.Issuer.URL)
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&out, "out", "", "the `directory` to write to")
	_ = command.MarkFlagRequired("out")
	o.cluster = newCluster(flags)
	return command
}

// errNotPublished is the error of a check that found something.
var errNotPublished = errors.New("not all keys are public, so Entra ID cannot verify their assertions")

func newFederationCheckCommand() *cobra.Command {
	var o federationOptions
	command := &cobra.Command{
		Use:   "check",
		Short: "Check what Entra ID sees of the federation issuer",
		Long: `Read the public files of the federation issuer from this machine, as Entra ID does, and compare them with the signer's keys.
If something is missing the exit status is 1.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := o.find(command.Context())
			if err != nil {
				return err
			}
			return checkPublished(command.Context(), &http.Client{Timeout: 30 * time.Second}, found, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	o.cluster = newCluster(flags)
	return command
}

// checkPublished prints whether each key of the signer is public.
func checkPublished(ctx context.Context, reader *http.Client, found *installation.Installation, output io.Writer) error {
	public, err := federation.ReadPublic(ctx, reader, found.Issuer.URL)
	if err != nil {
		return err
	}
	fmt.Fprintf(output, "%s is reachable, and names itself as the issuer\n", found.Issuer.URL)
	complete := true
	for _, id := range found.KeyIDs {
		state := "public"
		if !public[id] {
			state, complete = "missing: publish the files of kubectl imds federation publish", false
		}
		fmt.Fprintf(output, "key %s is %s\n", id, state)
	}
	if !complete {
		return errNotPublished
	}
	return nil
}
