package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// status prints a line for each daemon and the nodes. It fails unless all are well.
func (c *cluster) status(ctx context.Context, output io.Writer) error {
	if c.state.Binaries == "" {
		return fmt.Errorf("cluster %s is not up: run `cluster up`", c.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var failures error
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DAEMON\tSTATE\tPID\tLOG")
	for _, daemon := range c.daemons() {
		pid, condition := c.supervisor.Running(daemon.Name), "ready"
		if pid == 0 {
			condition = "not running"
		} else if daemon.Ready(ctx) != nil {
			condition = "not ready"
		}
		if condition != "ready" {
			failures = errors.Join(failures, fmt.Errorf("%s is %s", daemon.Name, condition))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", daemon.Name, condition, pid, c.supervisor.LogPath(daemon.Name))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the daemons: %w", err)
	}
	nodes, err := c.kubectl(ctx, "get", "nodes", "-o", "wide").CombinedOutput()
	fmt.Fprintf(output, "\n%s", nodes)
	if err != nil {
		return errors.Join(failures, fmt.Errorf("list the nodes: %w", err))
	}
	if err := c.kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1s", "nodes", "--all").Run(); err != nil {
		return errors.Join(failures, errors.New("not every node is Ready"))
	}
	return failures
}
