// Command signer holds the keys that sign tokens, and signs for pods on the nodes of the issuers that ask.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/outbound"
	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/internal/signer/kms"
)

// version is set by the linker.
var version = "dev"

func main() { process.Main(newCommand()) }

// options are the settings from the command line and the environment.
type options struct {
	process.Flags
	machine        machine.Defaults
	entraResources []string
	nameWorkloads  bool
	keys           keyring.Policy
	kmsKeys        []string
	nodePerSecond  float64
	nodeBurst      int
	listen         string

	federation        federation.Issuer
	verifyPublication bool
	federationKeys    keyring.Policy
	outbound          outbound.Options
}

// longestToken is the longest validity of a token, plus the difference of clocks.
const longestToken = 24*time.Hour + 10*time.Minute

// longestAssertion is the validity of an assertion, plus the difference of clocks.
const longestAssertion = 20 * time.Minute

func newCommand() *cobra.Command {
	var o options
	command := o.Command(install.Signer, "The signer of kube-imds: signs tokens of pods for the issuers of their nodes", version,
		func(ctx context.Context) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.machine.SubscriptionID, "subscription-id", "", "the subscription `ID` of pods as virtual machines")
	flags.StringVar(&o.machine.ResourceGroup, "resource-group", "", "the resource `group` of pods as virtual machines")
	flags.StringVar(&o.machine.Location, "location", "", "the `location` of nodes that have no region")
	flags.StringVar(&o.machine.Environment, "azure-environment", "AzurePublicCloud", "the `cloud` that attested documents are of")
	flags.StringSliceVar(&o.entraResources, "entra-issuer-resources", nil, "`resources` whose tokens name Entra ID as issuer")
	flags.BoolVar(&o.nameWorkloads, "name-workloads", true, "whether tokens name the pod, as Kubernetes' own tokens do")
	flags.StringArrayVar(&o.kmsKeys, "kms-key", nil, "the `URL` of a key that a KMS keeps, of one version; any number of times, in the order of their use. Without, keys are kept in the Secret")
	flags.DurationVar(&o.keys.Every, "rotate-every", 30*24*time.Hour, "how `long` a key signs")
	flags.DurationVar(&o.keys.Ahead, "publish-ahead", 24*time.Hour, "how `long` a key is published before it signs")
	flags.Float64Var(&o.nodePerSecond, "node-requests-per-second", 50, "how many `requests` a second a node may send in the long run")
	flags.IntVar(&o.nodeBurst, "node-burst", 1000, "how many `requests` a node may send at once")
	flags.StringVar(&o.federation.URL, "federation-issuer", "", "the public `URL` of the issuer that Entra ID trusts, without a slash at its end; without, no identity is federated")
	flags.StringVar(&o.federation.Cluster, "federation-cluster", "", "the `name` of the cluster in the subjects of assertions")
	flags.BoolVar(&o.verifyPublication, "federation-verify-publication", true,
		"whether to read the public files at that URL; otherwise an administrator records which keys are public: kubectl imds federation check --record")
	flags.DurationVar(&o.federationKeys.Every, "federation-rotate-every", 90*24*time.Hour, "how `long` a key signs assertions")
	flags.DurationVar(&o.federationKeys.Ahead, "federation-publish-ahead", 7*24*time.Hour, "how `long` a key is public before it signs assertions")
	flags.DurationVar(&o.federationKeys.Keep, "federation-keep", 7*24*time.Hour, "how `long` a key stays public after it has signed its last assertion")
	o.outbound.AddFlags(flags)
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of the API")
	return command
}

func (o *options) check() error {
	o.keys.Keep, o.federation.Recorded = longestToken, !o.verifyPublication
	switch {
	case o.keys.Every <= 0 || o.keys.Ahead < 0:
		return errors.New("--rotate-every must be above 0, --publish-ahead at least 0")
	case o.nodePerSecond <= 0 || o.nodeBurst < 1:
		return errors.New("--node-requests-per-second must be above 0, --node-burst at least 1")
	}
	if o.federation.URL != "" {
		if err := federation.CheckURL(o.federation.URL); err != nil {
			return fmt.Errorf("--federation-issuer: %w", err)
		}
	}
	if o.federationKeys.Every <= 0 || o.federationKeys.Ahead < 0 || o.federationKeys.Keep < longestAssertion {
		return fmt.Errorf("--federation-rotate-every must be above 0, --federation-publish-ahead at least 0, --federation-keep at least %s", longestAssertion)
	}
	if err := kms.Check(o.kmsKeys); err != nil {
		return fmt.Errorf("--kms-key: %w", err)
	}
	return nil
}
