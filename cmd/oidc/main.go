// Command oidc serves OIDC discovery, the public keys and the authority's certificates. It holds no signing key.
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
	tenantID         string
	listen           string
	authorityAddress string
}

func newCommand() *cobra.Command {
	var o options
	command := o.Command(install.OIDC, "The public OIDC server of kube-imds: discovery documents and public keys", version,
		func(ctx context.Context) error {
			if o.tenantID == "" {
				return errors.New("--tenant-id is needed")
			}
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of identities that name none")
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of OIDC discovery and JWKS")
	flags.StringVar(&o.authorityAddress, "authority-address", install.Address(install.AuthorityPort), "the `address`, without TLS, of the authority's certificates")
	return command
}
