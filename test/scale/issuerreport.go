package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// reportIssuer prints a table in Markdown: of an issuer in an empty cluster, and in a crowded one.
func reportIssuer(to io.Writer, sizes issuerSizes, results []issuerResult) error {
	var text strings.Builder
	fmt.Fprintf(&text, "An issuer of %d pods of %d ServiceAccounts with %d identities in %d namespaces:\n\n",
		sizes.pods, sizes.own.identities, sizes.own.identities, sizes.own.namespaces)
	text.WriteString("| |")
	for _, r := range results {
		fmt.Fprintf(&text, " %d ServiceAccounts, %d identities of others |", r.others.accounts, r.others.identities)
	}
	text.WriteString(" |\n| --- |" + strings.Repeat(" --- |", len(results)) + " --- |\n")
	for _, row := range []struct {
		what  string
		value func(issuerResult) float64
		shown string
	}{
		{"issuer: resident memory", median(func(s issuerStart) float64 { return float64(s.resident) / (1 << 20) }), "%.1f MiB"},
		{"issuer: heap in use", median(func(s issuerStart) float64 { return float64(s.heap) / (1 << 20) }), "%.1f MiB"},
		{"from its start until it is ready", median(func(s issuerStart) float64 { return s.ready.Seconds() }), "%.2f s"},
		{"received until then from the API server", median(func(s issuerStart) float64 { return float64(s.fromAPIServer) / (1 << 10) }), "%.1f KiB"},
		{"received until then from the signer", median(func(s issuerStart) float64 { return float64(s.fromSigner) / (1 << 10) }), "%.1f KiB"},
		{"signer: resident memory", func(r issuerResult) float64 { return float64(r.signer.resident) / (1 << 20) }, "%.1f MiB"},
		{"signer: heap in use", func(r issuerResult) float64 { return float64(r.signer.heap) / (1 << 20) }, "%.1f MiB"},
		{"a new pod's first token, from its creation: median", at(created, 50), "%.1f ms"},
		{"from its creation: 99th percentile", at(created, 99), "%.1f ms"},
		{"from when its sidecar asks: median", at(asked, 50), "%.1f ms"},
		{"from when its sidecar asks: 99th percentile", at(asked, 99), "%.1f ms"},
	} {
		fmt.Fprintf(&text, "| %s |", row.what)
		for _, r := range results {
			fmt.Fprintf(&text, " "+row.shown+" |", row.value(r))
		}
		fmt.Fprintf(&text, " %+.0f %% |\n", 100*(row.value(results[len(results)-1])/row.value(results[0])-1))
	}
	fmt.Fprintf(&text, "\nWhat the issuer used in %s:\n\n| |", costWindow)
	for _, r := range results {
		fmt.Fprintf(&text, " %d ServiceAccounts, %d identities of others |", r.others.accounts, r.others.identities)
	}
	text.WriteString("\n| --- |" + strings.Repeat(" --- |", len(results)) + "\n")
	for _, row := range []struct {
		what string
		cost func(issuerResult) cost
	}{
		{"without changes", func(r issuerResult) cost { return r.quiet }},
		{"%d changes of what none of its pods depends on", func(r issuerResult) cost { return r.byOthers }},
		{"%d changes of an identity that its pods ask for", func(r issuerResult) cost { return r.byOwn }},
	} {
		what := row.what
		if changes := row.cost(results[0]).changes; changes > 0 {
			what = fmt.Sprintf(row.what, changes)
		}
		fmt.Fprintf(&text, "| %s |", what)
		for _, r := range results {
			c := row.cost(r)
			fmt.Fprintf(&text, " %d bytes from the API server, %d from the signer, %d ms |", c.fromAPIServer, c.fromSigner, c.cpu.Milliseconds())
		}
		text.WriteString("\n")
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func median(value func(issuerStart) float64) func(issuerResult) float64 {
	return func(r issuerResult) float64 {
		var values []float64
		for _, start := range r.starts {
			values = append(values, value(start))
		}
		slices.SortFunc(values, cmp.Compare)
		return values[len(values)/2]
	}
}

func created(r issuerResult) []time.Duration { return r.created }

func asked(r issuerResult) []time.Duration { return r.asked }

// at returns a percentile of sorted times, in milliseconds.
func at(times func(issuerResult) []time.Duration, percent int) func(issuerResult) float64 {
	return func(r issuerResult) float64 { return milliseconds(percentile(times(r), percent)) }
}

// percentile returns the smallest of sorted times that as many of a hundred do not exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
