// Command sdks builds the images of the programs in test/sdks/clients, each with a published Azure SDK in its language's
// runtime, without a container engine.
//
//	go -C hack run ./sdks [--clients go,python] [--tag 0.1.0]
//
// For each client it writes an archive, sdk-CLIENT-ARCH.tar, as the command images does. A client is a folder that is a
// recipe (hack/internal/recipe). Images are kept in the cache folder, KUBE_IMDS_CACHE, until something that they are
// made of changes. A client that this machine cannot build is passed over.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/kube-imds/kube-imds/hack/internal/cachefolder"
	"github.com/kube-imds/kube-imds/hack/internal/lock"
	"github.com/kube-imds/kube-imds/hack/internal/product"
	"github.com/kube-imds/kube-imds/hack/internal/recipe"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sdks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("sdks", flag.ExitOnError)
	root := flags.String("root", "..", "the repository's root")
	out := flags.String("out", "", "the folder to write to (default ROOT/build/images)")
	names := flags.String("clients", "", "the clients to build (default all)")
	tag := flags.String("tag", "", "the images' tag (default the chart's appVersion)")
	_ = flags.Parse(arguments)

	if *out == "" {
		*out = filepath.Join(*root, "build", "images")
	}
	if *tag == "" {
		version, err := product.Version(*root)
		if err != nil {
			return err
		}
		*tag = version
	}
	clients, err := findClients(filepath.Join(*root, "test", "sdks", "clients"), strings.FieldsFunc(*names, isComma))
	if err != nil {
		return err
	}
	cache, err := cachefolder.Path()
	if err != nil {
		return err
	}
	builder, err := recipe.NewBuilder(*root, cache, os.Stdout)
	if err != nil {
		return err
	}
	waiting := func(holder string) { fmt.Printf("waiting for %s, which builds clients here\n", holder) }
	return lock.While(ctx, filepath.Join(*out, "sdks.lock"), waiting, func() error {
		for _, client := range clients {
			archive, lacks, err := builder.Build(ctx, client, *tag, *out)
			if err != nil {
				return err
			}
			if lacks != "" {
				fmt.Printf("%s: passed over, for this machine has no %s\n", client.Image, lacks)
				continue
			}
			fmt.Printf("%s: %s\n", product.Reference(client.Image, *tag), archive)
		}
		return nil
	})
}

func isComma(r rune) bool { return r == ',' }
