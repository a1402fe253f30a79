package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// report prints two tables in Markdown: of the start, and of single changes.
func report(to io.Writer, results []result) error {
	var text strings.Builder
	text.WriteString("| identities | ServiceAccounts | bindings | namespaces | all ready after | processor time | writes | peak memory |\n")
	text.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		fmt.Fprintf(&text, "| %d | %d | %d | %d | %s | %s | %.0f | %d MiB |\n", r.identities, r.accounts, r.bindings, r.namespaces,
			seconds(r.untilReady), seconds(r.start.cpu), r.start.written, r.peak>>20)
	}
	fmt.Fprintf(&text, "\nProcessor time grows with the number of identities to the power of %.2f, time with that of %.2f.\n\n",
		exponent(results, func(r result) float64 { return r.start.cpu.Seconds() }),
		exponent(results, func(r result) float64 { return r.untilReady.Seconds() }))

	text.WriteString("| changed |")
	for _, r := range results {
		fmt.Fprintf(&text, " with %d |", r.identities)
	}
	text.WriteString("\n| --- |" + strings.Repeat(" --- |", len(results)) + "\n")
	for i, change := range results[0].changes {
		fmt.Fprintf(&text, "| %s |", change.what)
		for _, r := range results {
			one := r.changes[i]
			fmt.Fprintf(&text, " %.0f reconciled, %.0f written, %d ms |", one.reconciled, one.written, one.cpu.Milliseconds())
		}
		text.WriteString("\n")
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// exponent fits value = c × identities^e by least squares of the logarithms, and returns e; NaN with fewer than two results.
func exponent(results []result, value func(result) float64) float64 {
	var n, sumX, sumY, sumXX, sumXY float64
	for _, r := range results {
		x, y := math.Log(float64(r.identities)), math.Log(value(r))
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
}
