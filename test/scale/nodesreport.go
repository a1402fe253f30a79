package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// manyNodes is the cluster that is extrapolated to.
const manyNodes = 5000

// perMinute is how many requests of each kind a node causes in a minute while nothing happens, by arithmetic.
var perMinute = map[request]float64{
	// client-go asks for a watch to last 5 to 10 minutes; there are two.
	{string(install.Issuer), "watch", "configmaps"}: 2 / 7.5,
	// The cluster's keys are read every five minutes.
	{string(install.Issuer), "get", "/.well-known/openid-configuration"}: 1 / 5.0,
	{string(install.Issuer), "get", "/openid/v1/jwks"}:                   1 / 5.0,
	// A view lasts 30 to 60 minutes, and a watch of the node's pods likewise.
	{string(install.Signer), "watch", "pods"}: 2 / 45.0,
}

// grows reports whether there are more requests of a kind with more nodes. All others are of single replicas.
func (r request) grows() bool {
	return r.part == string(install.Issuer) || r.part == string(install.Signer) && r.resource == "pods" ||
		strings.HasPrefix(r.resource, "certificatesigningrequests")
}

// reportNodes prints tables in Markdown: of what is held, of what phases took, and of requests.
func reportNodes(to io.Writer, r nodesResult) error {
	var text strings.Builder
	r.reportHeld(&text)
	r.reportPhases(&text)
	r.reportRequests(&text)
	fmt.Fprintf(&text, "\nSidecars ask their issuers only: each has one request there, which is held for %d s, so it is %.1f a minute. "+
		"By arithmetic that is %.0f a minute at an issuer with %d pods that have IMDS, and none at the API server.\n",
		issuerapi.GrantWaitSeconds, 60.0/issuerapi.GrantWaitSeconds, injectedOfNode*60.0/issuerapi.GrantWaitSeconds, injectedOfNode)
	_, err := io.WriteString(to, text.String())
	return err
}

func (r nodesResult) reportHeld(text *strings.Builder) {
	fmt.Fprintf(text, "| held | without issuers | with %d | a node | %d nodes, by arithmetic |\n| --- | --- | --- | --- | --- |\n", r.nodes, manyNodes)
	row := func(what string, before, after float64) {
		each, all := "no growth", ""
		if a := (after - before) / float64(r.nodes); a > 0 {
			each, all = fmt.Sprintf("%.2f", a), fmt.Sprintf("%.0f", before+manyNodes*a)
		}
		fmt.Fprintf(text, "| %s | %.0f | %.0f | %s | %s |\n", what, before, after, each, all)
	}
	row("watches at the API server", r.without.watches, r.with.watches)
	row("of ConfigMaps", r.without.mapWatches, r.with.mapWatches)
	row("of pods", r.without.podWatches, r.with.podWatches)
	row("MiB of the API server, resident", mebibytes(r.without.memory.resident), mebibytes(r.with.memory.resident))
	row("MiB of its heap in use", mebibytes(r.without.memory.heap), mebibytes(r.with.memory.heap))
	without, with := sum(r.signersWithout), sum(r.signersWith)
	row("MiB of both signers, resident", mebibytes(without.resident), mebibytes(with.resident))
	row("MiB of their heaps in use", mebibytes(without.heap), mebibytes(with.heap))
	row("MiB of all issuers, resident", 0, mebibytes(r.issuers.resident))
}

func (r nodesResult) reportPhases(text *strings.Builder) {
	text.WriteString("\n| phase | took | requests of all parts | received from the API server by issuers | received from signers | " +
		"processor time of the API server | of the signers |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	times := float64(manyNodes) / float64(r.nodes)
	for _, row := range []struct {
		what string
		phase
	}{
		{fmt.Sprintf("%d issuers start, %d at once", r.nodes, startsAtOnce), r.start},
		{"nothing happens", r.idle},
		{fmt.Sprintf("all are replaced, %d at once", updatesAtOnce), r.update},
		{fmt.Sprintf("%d nodes, by arithmetic", manyNodes), r.update.without(r.idle).times(times)},
		{fmt.Sprintf("a signer with %d views is killed, until the other shows them", len(r.returned)), r.signerEnd},
		{fmt.Sprintf("with %.0f views, by arithmetic", times*float64(len(r.returned))), r.signerEnd.without(r.idle).times(times)},
	} {
		took, requests := "", ""
		if row.took > 0 {
			took, requests = fmt.Sprintf("%.1f s", row.took.Seconds()), fmt.Sprint(row.requests.sum(""))
		}
		fmt.Fprintf(text, "| %s | %s | %s | %.0f KiB | %.0f KiB | %.2f s | %.2f s |\n", row.what, took, requests,
			float64(row.fromAPIServer)/(1<<10), float64(row.fromSigners)/(1<<10), row.apiServerCPU.Seconds(), row.signersCPU.Seconds())
	}
	fmt.Fprintf(text, "\nIn the rolling update a new issuer was ready after %.2f s (median), the slowest after %.2f s. "+
		"After the signer's end a view was back after %.2f s (median), the last after %.2f s.\n", percentile(r.ready, 50).Seconds(),
		percentile(r.ready, 100).Seconds(), percentile(r.returned, 50).Seconds(), percentile(r.returned, 100).Seconds())
}

// without returns what a phase used beyond what is used anyhow, but for requests.
func (p phase) without(idle phase) phase {
	share := float64(p.took) / float64(idle.took)
	p.fromAPIServer = max(0, p.fromAPIServer-int64(share*float64(idle.fromAPIServer)))
	p.fromSigners = max(0, p.fromSigners-int64(share*float64(idle.fromSigners)))
	p.apiServerCPU -= time.Duration(share * float64(idle.apiServerCPU))
	p.signersCPU -= time.Duration(share * float64(idle.signersCPU))
	return p
}

// times returns what a phase uses with as many times the nodes. How long it takes and how many requests there are do not follow from that.
func (p phase) times(factor float64) phase {
	return phase{
		fromAPIServer: int64(factor * float64(p.fromAPIServer)), fromSigners: int64(factor * float64(p.fromSigners)),
		apiServerCPU: time.Duration(factor * float64(p.apiServerCPU)), signersCPU: time.Duration(factor * float64(p.signersCPU)),
	}
}

func (r nodesResult) reportRequests(text *strings.Builder) {
	times := float64(manyNodes) / float64(r.nodes)
	fmt.Fprintf(text, "\n| requests of | verb | resource | idle, a minute | by arithmetic | %d nodes, a second | rolling update | %d nodes | a signer is killed |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", manyNodes, manyNodes)
	for _, one := range kinds(r.idle.requests, r.update.requests, r.signerEnd.requests) {
		idle, factor, ofUpdate := float64(r.idle.requests[one])/r.idle.took.Minutes(), 1.0, 1.0
		if one.grows() {
			factor, ofUpdate = times, times
		}
		if one.part == string(install.Controller) && one.resource == "secrets" {
			// It reads its key for each certificate that it signs.
			ofUpdate = times
		}
		arithmetic := ""
		if expected, found := perMinute[one]; found {
			arithmetic = fmt.Sprintf("%.1f", expected*float64(r.nodes))
		}
		fmt.Fprintf(text, "| %s | %s | %s | %.1f | %s | %.1f | %d | %.0f | %d |\n", one.part, one.verb, one.resource, idle, arithmetic,
			idle*factor/60, r.update.requests[one], float64(r.update.requests[one])*ofUpdate, r.signerEnd.requests[one])
	}
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func sum(all []memory) (total memory) {
	for _, one := range all {
		total.resident, total.heap = total.resident+one.resident, total.heap+one.heap
	}
	return total
}
