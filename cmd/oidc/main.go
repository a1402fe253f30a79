// Command oidc serves OIDC discovery, the public keys and the authority's certificates to everybody. It holds no signing
// key.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/logging"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "oidc:", err)
		os.Exit(1)
	}
}

// options are the settings from the command line and the environment.
type options struct {
	names            install.Names
	tenantID         string
	listen           string
	authorityAddress string
	metricsAddress   string
	healthAddress    string
	logLevel         string
}

func newCommand() *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:           "oidc",
		Short:         "The public OIDC server of kube-imds: discovery documents and public keys",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := logging.New(o.logLevel)
			if err != nil {
				return err
			}
			if o.names.Namespace == "" || o.tenantID == "" {
				return errors.New("--namespace and --tenant-id are needed; in a pod, set POD_NAMESPACE from the downward API")
			}
			ctrl.SetLogger(log)
			return run(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.names.Name, "name", "kube-imds", "the installation's full `name`, which its objects begin with")
	flags.StringVar(&o.names.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the installation's `namespace` [$POD_NAMESPACE]")
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of identities that name none")
	flags.StringVar(&o.listen, "listen", ":8443", "the `address` of OIDC discovery and JWKS")
	flags.StringVar(&o.authorityAddress, "authority-address", ":8082", "the `address`, without TLS, of the authority's certificates")
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8080", "the `address` of /metrics")
	flags.StringVar(&o.healthAddress, "health-address", ":8081", "the `address` of /healthz and /readyz")
	flags.StringVar(&o.logLevel, "log-level", "info", "`level`: "+strings.Join(logging.Levels, ", "))
	return command
}
