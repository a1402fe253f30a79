// Command gate stands before an API of somebody else's, in its pod. It validates tokens like any resource server, and issues none.
package main

import (
	"context"
	"os"

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
	api       string
	namespace string
	openAPI   string
	backend   string
	passToken bool

	audiences   []string
	tenantID    string
	oidcURL     string
	oidcAddress string
	trustFile   string

	listen    string
	tlsFolder string
}

func newCommand() *cobra.Command {
	var o options
	ports := process.Ports{Metrics: install.GateMetricsPort, Health: install.GateHealthPort}
	command := o.Outside("gate", "The gate of kube-imds before an API: its operations, for callers with an app role", version, ports,
		func(ctx context.Context) error { return run(ctx, o) })
	flags := command.Flags()
	flags.StringVar(&o.api, "api", "", "the `name` of the API, as role assignments have it (scope.api)")
	flags.StringVar(&o.namespace, "namespace", os.Getenv(install.PodNamespace),
		"the `namespace` of the role assignments, which is the gate's own [$"+install.PodNamespace+"]")
	flags.StringVar(&o.openAPI, "openapi", "", "the `file` with the API's OpenAPI 3 document")
	flags.StringVar(&o.backend, "backend", "", "the `URL` of the service, on a loopback address: http://127.0.0.1:8080")
	flags.BoolVar(&o.passToken, "pass-token", false, "whether the service gets the callers' tokens")
	flags.StringSliceVar(&o.audiences, "audience", nil, "the `audiences` of tokens for the API, such as api://orders")
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of tokens")
	flags.StringVar(&o.oidcURL, "oidc-url", install.Names{Name: "kube-imds", Namespace: "kube-imds-system"}.URL(install.OIDC),
		"the `URL` of the installation's OIDC server")
	flags.StringVar(&o.oidcAddress, "oidc-address", "", "the `address` of the OIDC server; the default is that of its URL")
	flags.StringVar(&o.trustFile, "trust-file", "/var/run/kube-imds.io/trust/ca.crt",
		"the `file` with the installation's authorities: ca.crt of the ConfigMap kube-imds-trust, which every namespace has")
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of the API")
	flags.StringVar(&o.tlsFolder, "tls", "",
		"the `folder` with tls.crt and tls.key, which are read again when they change; without it the gate listens on a loopback address alone")
	return command
}
