// Command cluster runs a real two-node Kubernetes cluster on a plain Linux machine. See docs/local-cluster.md.
//
//	go -C hack run ./cluster up
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/forward"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

// init keeps the program on the main thread, where process.Launch must be called.
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		stop()
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A real two-node Kubernetes cluster on a plain Linux machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	name := root.PersistentFlags().String("name", "kube-imds", "the cluster's name")
	open := func() (*cluster, error) { return openCluster(*name) }
	root.AddCommand(
		newUpCommand(open), newDownCommand(name), newRunCommand(), newListCommand(), newStatusCommand(open), newLoadCommand(open),
		newStopCommand(open), newStartCommand(open), newLogsCommand(open), newKubeconfigCommand(open),
		newBinariesCommand(), newLaunchCommand(), newForwardCommand(),
	)
	return root
}

func newUpCommand(open func() (*cluster, error)) *cobra.Command {
	var kubeconfig string
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up; needs root",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.exclusively(func() error { return c.up(command.Context()) }); err != nil {
				return fmt.Errorf("%w\n\n`cluster up` tries again from here; `cluster down` removes what is there", err)
			}
			if kubeconfig == "" {
				return nil
			}
			return copyFile(c.Kubeconfig(), kubeconfig, 0o600)
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "write a copy of the kubeconfig to this `path` too")
	return command
}

// newDownCommand needs no state, because the cluster may be broken.
func newDownCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take the cluster down in any state and leave nothing behind",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := newCluster(*name)
			if err != nil {
				return err
			}
			return c.exclusively(c.down)
		},
	}
}

func newStatusCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show each daemon and node; fails unless all is well",
		Args:  cobra.NoArgs,
		RunE:  with(open, func(ctx context.Context, c *cluster, _ []string) error { return c.status(ctx, os.Stdout) }),
	}
}

func newLoadCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "load ARCHIVE...",
		Short: "Load image archives into every node",
		Args:  cobra.MinimumNArgs(1),
		RunE:  with(open, func(ctx context.Context, c *cluster, archives []string) error { return c.load(ctx, archives) }),
	}
}

func newStopCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "stop DAEMON",
		Short: "Stop one daemon, such as kube-apiserver, to see what its absence does",
		Args:  cobra.ExactArgs(1),
		RunE: with(open, func(_ context.Context, c *cluster, names []string) error {
			if _, err := c.daemon(names[0]); err != nil {
				return err
			}
			return c.exclusively(func() error { return c.supervisor.Stop(names[0], stopDeadline) })
		}),
	}
}

func newStartCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "start DAEMON",
		Short: "Start a stopped daemon, and wait until it is ready",
		Args:  cobra.ExactArgs(1),
		RunE: with(open, func(ctx context.Context, c *cluster, names []string) error {
			daemon, err := c.daemon(names[0])
			if err != nil {
				return err
			}
			return c.exclusively(func() error { return c.supervisor.Start(ctx, daemon, startDeadline) })
		}),
	}
}

func newLogsCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "logs DAEMON",
		Short: "Print a daemon's log",
		Args:  cobra.ExactArgs(1),
		RunE: with(open, func(_ context.Context, c *cluster, names []string) error {
			if _, err := c.daemon(names[0]); err != nil {
				return err
			}
			return c.supervisor.WriteLog(os.Stdout, names[0])
		}),
	}
}

func newKubeconfigCommand(open func() (*cluster, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the kubeconfig",
		Args:  cobra.NoArgs,
		RunE: with(open, func(_ context.Context, c *cluster, _ []string) error {
			fmt.Println(c.Kubeconfig())
			return nil
		}),
	}
}

func newBinariesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "binaries [NAME...]",
		Short: "Build what is missing of the binaries, and print their folder; needs no root",
		RunE: func(command *cobra.Command, names []string) error {
			repository, err := findRepository()
			if err != nil {
				return err
			}
			builder, err := newBuilder(repository)
			if err != nil {
				return err
			}
			folder, err := builder.Build(command.Context(), names...)
			if err != nil {
				return err
			}
			fmt.Println(folder)
			return nil
		},
	}
}

// newLaunchCommand is for the supervisor: it enters a control group and a network namespace and becomes a daemon.
func newLaunchCommand() *cobra.Command {
	var group, namespace string
	command := &cobra.Command{
		Use:    "launch -- COMMAND...",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, command []string) error {
			return process.Launch(group, namespace, command)
		},
	}
	command.Flags().StringVar(&group, "cgroup", "", "the control group to enter")
	command.Flags().StringVar(&namespace, "namespace", "", "the network namespace to enter")
	return command
}

// newForwardCommand is the daemon that makes the API server reachable from the machine's own network namespace.
func newForwardCommand() *cobra.Command {
	var listen, namespace, target string
	command := &cobra.Command{
		Use:    "forward",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return forward.Serve(command.Context(), listen, namespace, target)
		},
	}
	command.Flags().StringVar(&listen, "listen", "", "the address to listen on")
	command.Flags().StringVar(&namespace, "namespace", "", "the network namespace to carry connections into")
	command.Flags().StringVar(&target, "target", "", "the address there")
	return command
}

func with(open func() (*cluster, error), do func(context.Context, *cluster, []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, arguments []string) error {
		c, err := open()
		if err != nil {
			return err
		}
		return do(command.Context(), c, arguments)
	}
}
