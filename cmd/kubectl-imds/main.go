// Command kubectl-imds is kube-imds on the user's machine: kubectl runs it as kubectl imds.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kubectl imds:", err)
		os.Exit(1)
	}
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
	command.AddCommand(newDevCommand())
	return command
}
