// Command storage-gate is the gate before the cluster's storage accounts. It validates tokens like any resource server, and issues none.
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
	folder      string
	oidcURL     string
	oidcAddress string
	listen      string

	blobPort, queuePort, tablePort int
}

func newCommand() *cobra.Command {
	var o options
	command := o.Command(install.StorageGate, "The gate of kube-imds before storage accounts: blobs, queues and tables, for callers with a role", version,
		func(ctx context.Context) error {
			if o.tenantID == "" || o.folder == "" {
				return errors.New("--tenant-id and --folder are needed")
			}
			o.oidcURL = o.Names.URL(install.OIDC)
			return run(ctx, o)
		})
	flags := command.Flags()
	flags.StringVar(&o.tenantID, "tenant-id", "", "the tenant `ID` of storage accounts that name none")
	flags.StringVar(&o.folder, "folder", "", "the `folder` of Azurite's certificate and accounts, which Azurite reads")
	flags.StringVar(&o.oidcAddress, "oidc-address", "", "the `address` of the OIDC server; the default is its Service")
	flags.StringVar(&o.listen, "listen", install.Address(install.APIPort), "the `address` of the storage accounts")
	flags.IntVar(&o.blobPort, "blob-port", 10000, "Azurite's `port` of blobs, on 127.0.0.1")
	flags.IntVar(&o.queuePort, "queue-port", 10001, "Azurite's `port` of queues")
	flags.IntVar(&o.tablePort, "table-port", 10002, "Azurite's `port` of tables")
	return command
}
