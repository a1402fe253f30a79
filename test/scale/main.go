// Command scale measures how the controller's cost grows with a cluster: with the real program on a real kube-apiserver and etcd, for
// clusters of several sizes. It prints the tables of docs/scale.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

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

func run(ctx context.Context) error {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	sizes := flags.String("identities", "1250,2500,5000,10000", "the `numbers` of identities of the clusters; each has five ServiceAccounts for an identity, "+
		"a binding for two, and a namespace for twenty")
	binary := flags.String("controller", "", "the controller's `program`; the default is to build it")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return errors.New("KUBEBUILDER_ASSETS must name the folder of kube-apiserver and etcd; `make scale` sets it")
	}
	folder, err := os.MkdirTemp("", "kube-imds-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if *binary == "" {
		if *binary, err = program.Build(ctx, folder, "controller"); err != nil {
			return err
		}
	}
	// What fails is reported by this program itself.
	ctrl.SetLogger(logr.Discard())
	var results []result
	for size := range strings.SplitSeq(*sizes, ",") {
		identities, err := strconv.Atoi(strings.TrimSpace(size))
		if err != nil || identities < 20 {
			return fmt.Errorf("-identities: %q is not a number of at least 20", size)
		}
		one, err := measure(ctx, folder, *binary, populationOf(identities))
		if err != nil {
			return fmt.Errorf("with %d identities: %w", identities, err)
		}
		results = append(results, one)
	}
	return report(os.Stdout, results)
}
