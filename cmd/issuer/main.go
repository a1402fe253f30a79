// Command issuer is the node issuer: it issues tokens to the pods of its own node.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/logging"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}

// options are the settings from the command line and the environment.
type options struct {
	name            string
	nodeName        string
	namespace       string
	metadata        machine.Defaults
	signerAddress   string
	signerTokenFile string
	podLimits       issuer.PodLimits
	anyAddress      bool
	listen          string
	metricsAddress  string
	healthAddress   string
	logLevel        string
}

func newCommand() *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:           "issuer",
		Short:         "The node issuer of kube-imds: hands tokens to the pods of its own node",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := logging.New(o.logLevel)
			if err != nil {
				return err
			}
			if o.nodeName == "" || o.namespace == "" {
				return fmt.Errorf("--node-name and --namespace are needed; in a pod, set NODE_NAME and POD_NAMESPACE from the downward API")
			}
			if limits := o.podLimits; limits.RequestsPerSecond <= 0 || limits.Burst < 1 || limits.Concurrent < 1 {
				return fmt.Errorf("--pod-requests-per-second must be above 0, --pod-burst and --pod-concurrent at least 1")
			}
			ctrl.SetLogger(log)
			return run(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.name, "name", "kube-imds", "the installation's full `name`, which its Services begin with")
	flags.StringVar(&o.nodeName, "node-name", os.Getenv("NODE_NAME"), "the `node` that this issuer runs on [$NODE_NAME]")
	flags.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the installation's `namespace` [$POD_NAMESPACE]")
	flags.StringVar(&o.metadata.SubscriptionID, "subscription-id", "", "the subscription `ID` in instance metadata")
	flags.StringVar(&o.metadata.ResourceGroup, "resource-group", "", "the resource `group` in instance metadata")
	flags.StringVar(&o.metadata.VMSize, "vm-size", "", "the `size` of the virtual machine in instance metadata where the node has no instance type")
	flags.StringVar(&o.metadata.Location, "location", "", "the `location` in instance metadata where the node has no region")
	flags.StringVar(&o.metadata.Environment, "azure-environment", "AzurePublicCloud", "the `cloud` in instance metadata")
	flags.StringVar(&o.signerAddress, "signer-address", "", "the `address` of the signer, if it is not its Service's")
	flags.StringVar(&o.signerTokenFile, "signer-token-file", "/var/run/secrets/kube-imds.io/signer/token", "the `file` with the issuer's own token for the signer")
	flags.Float64Var(&o.podLimits.RequestsPerSecond, "pod-requests-per-second", 20, "how many `requests` a second a pod may send in the long run")
	flags.IntVar(&o.podLimits.Burst, "pod-burst", 50, "how many `requests` a pod may send at once after it has been calm")
	flags.IntVar(&o.podLimits.Concurrent, "pod-concurrent", 8, "how many `requests` of a pod are worked on at once")
	flags.BoolVar(&o.anyAddress, "any-address", false, "take a pod's requests from whatever address: for networks that hide pods' own on the way to their node")
	flags.StringVar(&o.listen, "listen", ":8443", "the `address` of the API")
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8080", "the `address` of /metrics")
	flags.StringVar(&o.healthAddress, "health-address", ":8081", "the `address` of /healthz and /readyz")
	flags.StringVar(&o.logLevel, "log-level", "info", "`level`: "+strings.Join(logging.Levels, ", ")+"; the audit log is always kept")
	return command
}
