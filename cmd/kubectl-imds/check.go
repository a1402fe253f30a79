package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/exposure"
)

const checkLong = `Check whether applications can get past their sidecar to the node's own metadata service.

In an injected pod 169.254.169.254 is the sidecar, for every program that connects as programs do. A process with the
capability NET_RAW can send packets past it, to what answers at that address outside the pod: on a cloud's virtual
machine, the metadata service with the node's own identity.

On each node, a pod that is not injected connects once to 169.254.169.254:80, sends nothing, and is removed. Where that is
answered, the containers of injected pods that can have NET_RAW are listed, and the exit status is 1.

It needs the right to make and remove pods in --namespace, and to list nodes and pods.`

const checkExample = `  # All nodes
  kubectl imds check

  # One node, with pods in a namespace of your choice
  kubectl imds check --node worker-1 --namespace kube-imds-system`

// errExposed is the error of a check that found something.
var errExposed = errors.New("containers can reach their node's metadata service: have them drop NET_RAW, or let no pod's packets " +
	"out to 169.254.169.254 (docs/security.md says how)")

// checkOptions are the flags of check.
type checkOptions struct {
	cluster  cluster
	nodes    []string
	selector string
	probe    exposure.Probe
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	command := &cobra.Command{
		Use:     "check",
		Short:   "Check whether applications can reach the node's own metadata service",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&o.nodes, "node", nil, "the `names` of nodes to check; all by default")
	flags.StringVarP(&o.selector, "selector", "l", "", "`labels` of the nodes to check, as in kubernetes.io/os=linux")
	flags.StringVar(&o.probe.Image, "image", "", "the sidecar's `image`; by default the installation's")
	flags.DurationVar(&o.probe.Timeout, "timeout", 2*time.Minute, "how `long` a node may take")
	o.cluster = newCluster(flags)
	return command
}

func (o *checkOptions) run(ctx context.Context, output, progress io.Writer) error {
	var err error
	if o.probe.Client, o.probe.Namespace, err = o.cluster.client(); err != nil {
		return err
	}
	names, err := o.names(ctx)
	if err != nil {
		return err
	}
	if o.probe.Image == "" {
		if o.probe.Image, err = exposure.SidecarImage(ctx, o.probe.Client); err != nil {
			return err
		}
	}
	done := 0
	nodes, err := o.probe.Look(ctx, names, func(node exposure.Node) {
		done++
		fmt.Fprintf(progress, "checked node %s (%d of %d)\n", node.Name, done, len(names))
	})
	if err != nil {
		return err
	}
	raw, err := exposure.InjectedRaw(ctx, o.probe.Client, func(node string) bool { return slices.Contains(names, node) })
	if err != nil {
		return err
	}
	report := exposure.Report{Nodes: nodes, Raw: raw}
	if err := report.Print(output); err != nil {
		return err
	}
	if len(report.Exposed()) > 0 {
		return errExposed
	}
	return nil
}

// names returns the names of the nodes to check.
func (o *checkOptions) names(ctx context.Context) ([]string, error) {
	selector, err := labels.Parse(o.selector)
	if err != nil {
		return nil, fmt.Errorf("read --selector: %w", err)
	}
	found, err := exposure.Nodes(ctx, o.probe.Client, client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, err
	}
	for _, name := range o.nodes {
		if !slices.Contains(found, name) {
			return nil, fmt.Errorf("there is no node %q that --selector selects", name)
		}
	}
	if len(o.nodes) > 0 {
		return o.nodes, nil
	}
	if len(found) == 0 {
		return nil, errors.New("there is no node that --selector selects")
	}
	return found, nil
}
