package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kube-imds/kube-imds/internal/coredump"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/logging"
)

// Flags are the settings that all processes have.
type Flags struct {
	Names    install.Names
	LogLevel string

	metricsAddress string
	healthAddress  string
}

// Command returns the command of a part, with the flags that all have. It runs after the log is set up.
func (f *Flags) Command(part install.Part, short, version string, run func(context.Context) error) *cobra.Command {
	command := f.Outside(string(part), short, version, Ports{install.MetricsPort, install.HealthPort}, func(ctx context.Context) error {
		if f.Names.Namespace == "" {
			return errors.New("--namespace is needed; in a pod, set " + install.PodNamespace + " from the downward API")
		}
		return run(ctx)
	})
	flags := command.Flags()
	flags.StringVar(&f.Names.Name, "name", "kube-imds", "the installation's full `name`, which its objects begin with")
	flags.StringVar(&f.Names.Namespace, "namespace", os.Getenv(install.PodNamespace), "the installation's `namespace` [$"+install.PodNamespace+"]")
	return command
}

// Ports are those of a process that are plain HTTP, by default.
type Ports struct{ Metrics, Health int }

// Outside returns the command of a program that is not a part of an installation, but runs in a pod of somebody else's.
func (f *Flags) Outside(name, short, version string, ports Ports, run func(context.Context) error) *cobra.Command {
	command := &cobra.Command{
		Use:           name,
		Short:         short,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := logging.New(f.LogLevel)
			if err != nil {
				return err
			}
			ctrl.SetLogger(log)
			return run(command.Context())
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.metricsAddress, "metrics-address", install.Address(ports.Metrics), "the `address` of /metrics")
	flags.StringVar(&f.healthAddress, "health-address", install.Address(ports.Health), "the `address` of /healthz and /readyz")
	flags.StringVar(&f.LogLevel, "log-level", "info", "`level`: "+strings.Join(logging.Levels, ", ")+"; audit logs are always kept")
	return command
}

// Main runs a command until it ends or SIGTERM or SIGINT stops it. After an error the process ends with status 1.
func Main(command *cobra.Command) {
	err := coredump.Disable()
	if err == nil {
		err = command.ExecuteContext(ctrl.SetupSignalHandler())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", command.Name(), err)
		os.Exit(1)
	}
}
