// Command keyvault serves the cluster's Key Vaults. It validates tokens like any resource server, and issues none.
package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/process"
)

// version is set by the linker.
var version = "dev"

func main() { process.Main(newCommand()) }

// options are the settings from the command line and the environment.
type options struct {
	process.Flags
	tenantID    string
	location    string
	data        string
	oidcURL     string
	oidcAddress string
	listen      string
}

func newCommand() *cobra.Command {
	var o options
	command := o.Command(install.KeyVault, "The Key Vault of kube-imds: secrets, by Azure's API, for callers with a role", version,
		func(ctx context.Context) error {
			if o.tenantID == "" || o.data == "" {
				return errors.New("--tenant-id and --data-namespace are needed")
			}
			o.oidcURL = o.Names.URL(install.OIDC)
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of vaults that name none")
	flags.StringVar(&o.location, "location", "", "the Azure `location` that answers name")
	flags.StringVar(&o.data, "data-namespace", "", "the `namespace` of the Secrets with the vaults' objects")
	flags.StringVar(&o.oidcAddress, "oidc-address", "", "the `address` of the OIDC server; the default is its Service")
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of the vaults")
	return command
}
