package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kube-imds/kube-imds/hack/internal/cachefolder"
	"github.com/kube-imds/kube-imds/hack/internal/product"
	"github.com/kube-imds/kube-imds/hack/internal/recipe"
)

// isRecipe reports whether a part is more than a binary: its folder says what its image consists of.
func isRecipe(root string, part part) bool {
	_, err := os.Stat(filepath.Join(root, part.dir, recipe.File))
	return err == nil
}

// buildRecipe builds a part that is a recipe, as an archive for this machine's platform.
func buildRecipe(ctx context.Context, root, out string, part part, version string) error {
	read, err := recipe.Read(filepath.Join(root, part.dir), part.name)
	if err != nil {
		return err
	}
	cache, err := cachefolder.Path()
	if err != nil {
		return err
	}
	builder, err := recipe.NewBuilder(root, cache, os.Stdout)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	archive, lacks, err := builder.Build(ctx, read, version, out)
	if err != nil {
		return err
	}
	if lacks != "" {
		return fmt.Errorf("this machine has no %s", lacks)
	}
	fmt.Printf("%s: %s\n", product.Reference(read.Image, version), archive)
	return nil
}
