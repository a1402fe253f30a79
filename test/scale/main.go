// Command scale measures what large clusters cost, with the real programs on a real kube-apiserver and etcd: how the controller's cost
// grows with a cluster, what an issuer costs in an empty and in a crowded one, and what many nodes cost the API server. It prints the tables
// of docs/scale.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kube-imds/kube-imds/internal/testing/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// options are the settings from the command line.
type options struct {
	sizes      string
	controller string
	others     int
	pods       int
	nodes      int
	idle       time.Duration
}

const help = `Usage: scale [flags] [measurement ...]

Measurements, by default all of them:
  controller  how the controller's cost grows with identities and ServiceAccounts
  issuer      memory, start and latency of one node's issuer, without and with many objects of others, and the signer's memory
  nodes       what many issuers cost the API server and the signers: idle, in a rolling update, and when a signer ends

Flags:
`

func run(ctx context.Context) error {
	var o options
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = io.WriteString(flags.Output(), help)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.sizes, "identities", "1250,2500,5000,10000", "controller: the `numbers` of identities of the clusters; each has five "+
		"ServiceAccounts for an identity, a binding for two, and a namespace for twenty")
	flags.StringVar(&o.controller, "controller", "", "controller: its `program`; the default is to build it")
	flags.IntVar(&o.others, "others", 10000, "issuer: the `number` of identities of others, with as many other objects as above; at least 20")
	flags.IntVar(&o.pods, "pods", 250, "issuer: the `number` of its node's pods")
	flags.IntVar(&o.nodes, "nodes", 100, "nodes: the `number` of nodes; each has 30 pods and a process of some 40 MiB")
	flags.DurationVar(&o.idle, "idle", 5*time.Minute, "nodes: how `long` requests are counted while nothing happens")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return errors.New("KUBEBUILDER_ASSETS must name the folder of kube-apiserver and etcd; `make scale` sets it")
	}
	if o.others < 20 || o.pods < 1 || o.nodes < 1 || o.idle <= 0 {
		return errors.New("-others must be at least 20, -pods and -nodes at least 1, and -idle above 0")
	}
	folder, err := os.MkdirTemp("", "kube-imds-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// What fails is reported by this program itself.
	ctrl.SetLogger(logr.Discard())
	return o.measure(ctx, folder, flags.Args())
}

// measurement is one that can be named.
type measurement struct {
	name string
	run  func(ctx context.Context, folder string) error
}

// measure makes the measurements that are named, or all.
func (o options) measure(ctx context.Context, folder string, named []string) error {
	all := []measurement{{"controller", o.controllers}, {"issuer", o.issuer}, {"nodes", o.fleet}}
	for _, name := range named {
		if !slices.ContainsFunc(all, func(one measurement) bool { return one.name == name }) {
			return fmt.Errorf("there is no measurement %q", name)
		}
	}
	for _, one := range all {
		if len(named) > 0 && !slices.Contains(named, one.name) {
			continue
		}
		if err := one.run(ctx, folder); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		fmt.Println()
	}
	return nil
}

func (o options) controllers(ctx context.Context, folder string) error {
	if o.controller == "" {
		var err error
		if o.controller, err = program.Build(ctx, folder, "controller"); err != nil {
			return err
		}
	}
	var results []result
	for size := range strings.SplitSeq(o.sizes, ",") {
		identities, err := strconv.Atoi(strings.TrimSpace(size))
		if err != nil || identities < 20 {
			return fmt.Errorf("-identities: %q is not a number of at least 20", size)
		}
		one, err := measure(ctx, folder, o.controller, populationOf(identities))
		if err != nil {
			return fmt.Errorf("with %d identities: %w", identities, err)
		}
		results = append(results, one)
	}
	return report(os.Stdout, results)
}

func (o options) issuer(ctx context.Context, folder string) error {
	sizes := issuerSizes{
		pods: o.pods, others: populationOf(o.others),
		own: population{name: "own-", identities: 25, accounts: 25 * accountsOf, bindings: 12, namespaces: 10},
	}
	results, err := measureIssuer(ctx, folder, sizes)
	if err != nil {
		return err
	}
	return reportIssuer(os.Stdout, sizes, results)
}

func (o options) fleet(ctx context.Context, folder string) error {
	r, err := measureNodes(ctx, folder, o.nodes, o.idle)
	if err != nil {
		return err
	}
	return reportNodes(os.Stdout, r)
}
