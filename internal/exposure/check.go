package exposure

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many nodes are checked concurrently.
const atOnce = 10

// Node is what pods on a node can reach.
type Node struct {
	Name string

	// Answers reports whether the node's metadata service answers pods; Why says why not.
	Answers bool
	Why     string
}

// Look checks nodes concurrently, and calls tell as each result comes. It stops at the first node that cannot be checked.
func (p *Probe) Look(ctx context.Context, names []string, tell func(Node)) ([]Node, error) {
	var mu sync.Mutex
	nodes := make([]Node, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, name := range names {
		group.Go(func() error {
			answers, why, err := p.Reachable(ctx, name)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			nodes[i] = Node{name, answers, why}
			tell(nodes[i])
			return nil
		})
	}
	return nodes, group.Wait()
}

// Report is the result of a check.
type Report struct {
	Nodes []Node

	// Raw are the containers of injected pods on the nodes that can send past the sidecar.
	Raw []Raw
}

// Exposed returns the containers that can reach a metadata service that answers.
func (r Report) Exposed() []Raw {
	var exposed []Raw
	for _, raw := range r.Raw {
		if slices.ContainsFunc(r.Nodes, func(node Node) bool { return node.Name == raw.Node && node.Answers }) {
			exposed = append(exposed, raw)
		}
	}
	return exposed
}

// Print writes the report as tables.
func (r Report) Print(output io.Writer) error {
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NODE\tMETADATA SERVICE")
	for _, node := range r.Nodes {
		answer := "answers pods"
		if !node.Answers {
			answer = "does not answer pods: " + node.Why
		}
		fmt.Fprintf(table, "%s\t%s\n", node.Name, answer)
	}
	if exposed := r.Exposed(); len(exposed) > 0 {
		fmt.Fprintln(table, "\nNAMESPACE\tPOD\tCONTAINER\tCAN SEND PAST THE SIDECAR, FOR")
		for _, raw := range exposed {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", raw.Namespace, raw.Pod, raw.Container, raw.Why)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}
	return nil
}
