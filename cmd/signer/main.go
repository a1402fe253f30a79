// Command signer holds the keys that sign tokens, and signs for pods on the nodes of the issuers that ask.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/logging"
	"github.com/kube-imds/kube-imds/internal/signer/kms"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "signer:", err)
		os.Exit(1)
	}
}

// options are the settings from the command line and the environment.
type options struct {
	names          install.Names
	machine        machine.Defaults
	entraResources []string
	nameWorkloads  bool
	keys           keyring.Policy
	kmsKeys        []string
	nodePerSecond  float64
	nodeBurst      int
	listen         string
	metricsAddress string
	healthAddress  string
	logLevel       string
}

// longestToken is the longest validity of a token, plus the difference of clocks.
const longestToken = 24*time.Hour + 10*time.Minute

func newCommand() *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:           "signer",
		Short:         "The signer of kube-imds: signs tokens of pods for the issuers of their nodes",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := logging.New(o.logLevel)
			if err != nil {
				return err
			}
			if err := o.check(); err != nil {
				return err
			}
			ctrl.SetLogger(log)
			return run(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.names.Name, "name", "kube-imds", "the installation's full `name`, which its objects begin with")
	flags.StringVar(&o.names.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the installation's `namespace` [$POD_NAMESPACE]")
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
	flags.IntVar(&o.nodeBurst, "node-burst", 1000, "how many `requests` a node may send at once after it has been calm")
	flags.StringVar(&o.listen, "listen", ":8443", "the `address` of the API")
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8080", "the `address` of /metrics")
	flags.StringVar(&o.healthAddress, "health-address", ":8081", "the `address` of /healthz and /readyz")
	flags.StringVar(&o.logLevel, "log-level", "info", "`level`: "+strings.Join(logging.Levels, ", ")+"; the audit log is always kept")
	return command
}

func (o *options) check() error {
	o.keys.Keep = longestToken
	switch {
	case o.names.Namespace == "":
		return errors.New("--namespace is needed; in a pod, set POD_NAMESPACE from the downward API")
	case o.keys.Every <= 0 || o.keys.Ahead < 0:
		return errors.New("--rotate-every must be above 0, --publish-ahead at least 0")
	case o.nodePerSecond <= 0 || o.nodeBurst < 1:
		return errors.New("--node-requests-per-second must be above 0, --node-burst at least 1")
	}
	if err := kms.Check(o.kmsKeys); err != nil {
		return fmt.Errorf("--kms-key: %w", err)
	}
	return nil
}
