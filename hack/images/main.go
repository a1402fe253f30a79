// Command images builds the images of kube-imds without a container engine: one static binary per image, on an empty base.
//
//	go -C hack run ./images [--parts controller,signer,oidc,keyvault,storage-gate,gate,issuer,sidecar] [--platforms linux/amd64,linux/arm64] [--tag 0.1.0]
//
// For each part and platform it writes an archive, PART-ARCH.tar, that "docker load", "kind load image-archive" and
// "ctr --namespace k8s.io images import" take; and for each part an OCI layout of all its platforms, PART.oci. Parts
// are those of the product and the programs below test/apps and config/samples. A folder of those that is a recipe
// (hack/internal/recipe) gives an archive for this machine's platform, of what the recipe says: azurite is one, so it must be asked for.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/hack/internal/lock"
	"github.com/kube-imds/kube-imds/hack/internal/product"
	"github.com/kube-imds/kube-imds/hack/internal/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("images", flag.ExitOnError)
	root := flags.String("root", "..", "the repository's root")
	out := flags.String("out", "", "the folder to write to (default ROOT/build/images)")
	names := flags.String("parts", "controller,signer,oidc,keyvault,storage-gate,gate,issuer,sidecar", "the parts to build")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "the platforms to build for")
	tag := flags.String("tag", "", "the images' tag (default the chart's appVersion)")
	_ = flags.Parse(args)

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
	waiting := func(holder string) { fmt.Printf("waiting for %s, which builds images here\n", holder) }
	return lock.While(ctx, filepath.Join(*out, "images.lock"), waiting, func() error {
		return buildParts(ctx, *root, *out, strings.Split(*names, ","), *tag, strings.Split(*platforms, ","))
	})
}

func buildParts(ctx context.Context, root, out string, names []string, version string, platforms []string) error {
	for _, name := range names {
		part, err := findPart(root, name)
		if err != nil {
			return err
		}
		if err := buildPart(ctx, root, out, part, version, platforms); err != nil {
			return fmt.Errorf("build the image of %s: %w", name, err)
		}
	}
	return nil
}

// buildPart builds a part for every platform, and writes only what differs from the last time.
func buildPart(ctx context.Context, root, out string, part part, version string, platforms []string) error {
	if isRecipe(root, part) {
		return buildRecipe(ctx, root, out, part, version)
	}
	start := time.Now()
	defer progress.Remind(os.Stdout, "building "+reference(part, version))()
	output := output{dir: out, part: part, version: version}
	var executables []executable
	for _, platform := range platforms {
		executable, err := compile(ctx, root, filepath.Join(out, "bin"), part, version, platform)
		if err != nil {
			return err
		}
		executables = append(executables, executable)
	}
	written, err := output.write(executables)
	if err != nil {
		return err
	}
	outcome := "unchanged"
	if written {
		outcome = "written to " + out
	}
	fmt.Printf("%s (%s): %s, %.1f s\n", reference(part, version), strings.Join(platforms, ", "), outcome,
		time.Since(start).Seconds())
	return nil
}
