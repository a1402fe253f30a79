// Command kubectl-imds is the kubectl plugin of kube-imds: kubectl runs it as kubectl imds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set in release builds.
var version = "dev"

func main() {
	err := execute(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl imds:", err)
	}
	os.Exit(exitStatus(err))
}

// exitStatus returns the exit status for the error of a command line. Scripts tell by 3 that the output is valid but not all.
func exitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errLeftovers):
		return 3
	}
	return 1
}

// execute runs a command line until it ends or is interrupted.
func execute(arguments []string, output io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	command := newCommand()
	command.SetArgs(arguments)
	command.SetOut(output)
	return command.ExecuteContext(ctx)
}

func newCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-imds",
		Short: "Azure managed identities for Kubernetes pods, on your machine",
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "kubectl imds",
		},
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(newDevCommand(), newCheckCommand(), newExplainCommand(), newFederationCommand(), newConvertCommand())
	return command
}
