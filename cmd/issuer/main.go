// Command issuer is the node issuer: it issues tokens to the pods of its own node.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/outbound"
	"github.com/kube-imds/kube-imds/internal/process"
)

// version is set by the linker.
var version = "dev"

func main() { process.Main(newCommand()) }

// options are the settings from the command line and the environment.
type options struct {
	process.Flags
	nodeName        string
	metadata        machine.Defaults
	signerAddress   string
	signerTokenFile string
	podLimits       issuer.PodLimits
	anyAddress      bool
	tokenEndpoint   bool
	listen          string
	outbound        outbound.Options
}

func newCommand() *cobra.Command {
	var o options
	command := o.Command(install.Issuer, "The node issuer of kube-imds: issues tokens to the pods of its own node", version,
		func(ctx context.Context) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.nodeName, "node-name", os.Getenv(install.NodeName), "the `node` that this issuer runs on [$"+install.NodeName+"]")
	flags.StringVar(&o.metadata.SubscriptionID, "subscription-id", "", "the subscription `ID` in instance metadata")
	flags.StringVar(&o.metadata.ResourceGroup, "resource-group", "", "the resource `group` in instance metadata")
	flags.StringVar(&o.metadata.VMSize, "vm-size", "", "the `size` of the virtual machine in instance metadata where the node has no instance type")
	flags.StringVar(&o.metadata.Location, "location", "", "the `location` in instance metadata where the node has no region")
	flags.StringVar(&o.metadata.Environment, "azure-environment", "AzurePublicCloud", "the `cloud` in instance metadata")
	flags.StringVar(&o.signerAddress, "signer-address", "", "the `address` of the signer, if it is not its Service's")
	flags.StringVar(&o.signerTokenFile, "signer-token-file", install.SignerTokenFile, "the `file` with the issuer's own token for the signer")
	flags.Float64Var(&o.podLimits.RequestsPerSecond, "pod-requests-per-second", 20, "how many `requests` a second a pod may send in the long run")
	flags.IntVar(&o.podLimits.Burst, "pod-burst", 50, "how many `requests` a pod may send at once")
	flags.IntVar(&o.podLimits.Concurrent, "pod-concurrent", 8, "how many `requests` of a pod are worked on at once")
	flags.BoolVar(&o.anyAddress, "any-address", false, "take a pod's requests from any address, for networks that hide pods' addresses from their own node")
	flags.BoolVar(&o.tokenEndpoint, "token-endpoint", false, "serve Entra ID's token endpoint to applications, for tokens of local identities")
	o.outbound.AddFlags(flags)
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of the API")
	return command
}

func (o *options) check() error {
	limits := o.podLimits
	switch {
	case o.nodeName == "":
		return errors.New("--node-name is needed; in a pod, set " + install.NodeName + " from the downward API")
	case limits.RequestsPerSecond <= 0 || limits.Burst < 1 || limits.Concurrent < 1:
		return errors.New("--pod-requests-per-second must be above 0, --pod-burst and --pod-concurrent at least 1")
	}
	return nil
}
