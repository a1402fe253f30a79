package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List this machine's clusters, and which checkout each was brought up from; needs root",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := needRoot(); err != nil {
				return err
			}
			return list(os.Stdout, layout.Clusters)
		},
	}
}

// list prints a line for each cluster with a folder, including broken ones.
func list(output io.Writer, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find the clusters: %w", err)
	}
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tDAEMONS\tCHECKOUT")
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		fmt.Fprintln(table, entry.Name()+"\t"+describe(folder, entry.Name()))
	}
	return table.Flush()
}

func describe(folder, name string) string {
	c := &cluster{Layout: layout.Layout{Name: name, Root: filepath.Join(folder, name)}}
	if err := c.open(); err != nil {
		return err.Error()
	}
	all := c.daemons()
	running := 0
	for _, daemon := range all {
		if c.supervisor.Running(daemon.Name) != 0 {
			running++
		}
	}
	return fmt.Sprintf("%d of %d run\t%s", running, len(all), c.state.Checkout)
}
