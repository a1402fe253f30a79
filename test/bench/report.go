package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// measurement is the result of a run.
type measurement struct {
	binaryBytes, idleBytes, busyBytes int64
	sidecarRates, bareRates           []float64
}

// report prints the results beside their goals.
func report(w io.Writer, m measurement) error {
	var ratios []float64
	for i := range m.sidecarRates {
		ratios = append(ratios, m.sidecarRates[i]/m.bareRates[i])
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "sidecar\tmeasured\tto reach")
	fmt.Fprintf(table, "binary, stripped\t%.2f MiB\t< 8 MiB\n", mebibytes(m.binaryBytes))
	fmt.Fprintf(table, "memory, idle\t%.1f MiB\t< 10 MiB\n", mebibytes(m.idleBytes))
	fmt.Fprintf(table, "memory, after the load\t%.1f MiB\t\n", mebibytes(m.busyBytes))
	fmt.Fprintf(table, "cached tokens\t%.0f /s\t\n", median(m.sidecarRates))
	fmt.Fprintf(table, "bare net/http, the same bytes\t%.0f /s\t\n", median(m.bareRates))
	fmt.Fprintf(table, "ratio, median of %d rounds\t%.0f %%\t>= 80 %%\n", len(ratios), 100*median(ratios))
	fmt.Fprintf(table, "ratio, lowest and highest\t%.0f %% … %.0f %%\t\n", 100*slices.Min(ratios), 100*slices.Max(ratios))
	return table.Flush()
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
