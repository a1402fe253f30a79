package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

func (o *federationOptions) find(ctx context.Context) (*installation.Installation, client.Client, error) {
	api, _, err := o.cluster.client()
	if err != nil {
		return nil, nil, err
	}
	found, err := installation.Find(ctx, api, *o.cluster.Namespace)
	return found, api, err
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
seen it there, or with federation.verifyPublication=false after you have recorded it, so do this again when the metric
kube_imds_signer_federation_published is 0.`,
		Example: publishExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, _, err := o.find(command.Context())
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
			fmt.Fprintf(command.ErrOrStderr(), "Then %s.\n", found.Issuer.HowToPublish())
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

// The errors of a check that found something.
var (
	errNotPublished = errors.New("not all keys are public, so Entra ID cannot verify their assertions")
	errNotRecorded  = errors.New("not all keys are recorded as public, so the signer does not use them: " +
		"run kubectl imds federation check --record")
	errReadsItself = errors.New("the signer reads the public files itself: --record is for federation.verifyPublication=false")
)

func newFederationCheckCommand() *cobra.Command {
	var o federationOptions
	var record bool
	command := &cobra.Command{
		Use:   "check",
		Short: "Check what Entra ID sees of the federation issuer",
		Long: `Read the public files of the federation issuer from this machine, as Entra ID does, and compare them with the signer's keys.
If something is missing the exit status is 1.

With federation.verifyPublication=false the signer does not read them itself: --record tells it which of its keys are public.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, api, err := o.find(command.Context())
			if err != nil {
				return err
			}
			check := publicationCheck{found: found, web: &http.Client{Timeout: 30 * time.Second}, output: command.OutOrStdout()}
			if record {
				check.record = api
			}
			return check.run(command.Context())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVar(&record, "record", false, "record for the signer which of its keys are public")
	o.cluster = newCluster(flags)
	return command
}

// publicationCheck compares what is public with an installation's keys.
type publicationCheck struct {
	found  *installation.Installation
	web    *http.Client
	output io.Writer

	// record writes to the cluster which keys are public; nil if that is not wanted.
	record client.Writer
}

// run prints whether each key of the signer is public, and records it if that is wanted.
func (c publicationCheck) run(ctx context.Context) error {
	if c.record != nil && !c.found.Issuer.Recorded {
		return errReadsItself
	}
	public, err := federation.ReadPublic(ctx, c.web, c.found.Issuer.URL)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.output, "%s is reachable, and names itself as the issuer\n", c.found.Issuer.URL)
	if c.record != nil {
		seen := slices.DeleteFunc(slices.Clone(c.found.KeyIDs), func(id string) bool { return !public[id] })
		if err := c.found.Record(ctx, c.record, seen); err != nil {
			return err
		}
	}
	return c.compare(public)
}

// compare prints a line for each key.
func (c publicationCheck) compare(public map[string]bool) error {
	var found error
	for _, id := range c.found.KeyIDs {
		state := "public"
		switch {
		case !public[id]:
			state, found = "missing: publish the files of kubectl imds federation publish", errNotPublished
		case c.found.Issuer.Recorded && c.found.Recorded[id]:
			state = "public, and recorded"
		case c.found.Issuer.Recorded:
			state = "public, but not recorded"
			if found == nil {
				found = errNotRecorded
			}
		}
		fmt.Fprintf(c.output, "key %s is %s\n", id, state)
	}
	return found
}
