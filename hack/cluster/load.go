package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

// load loads image archives into every node.
func (c *cluster) load(ctx context.Context, archives []string) error {
	if c.state.Binaries == "" {
		return fmt.Errorf("cluster %s is not up: run `cluster up`", c.Name)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range c.Nodes() {
		group.Go(func() error { return c.loadInto(ctx, node, archives) })
	}
	return group.Wait()
}

func (c *cluster) loadInto(ctx context.Context, node layout.Node, archives []string) error {
	for _, archive := range archives {
		command := exec.CommandContext(ctx, filepath.Join(c.state.Binaries, "ctr"), "--address", node.ContainerdSocket(),
			"--namespace", "k8s.io", "images", "import", archive)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("load %s into node %s: %w\n%s", archive, node.Name, err, output)
		}
	}
	return nil
}
