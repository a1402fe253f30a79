package issuer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// phase is what was seen during a trouble.
type phase struct {
	trouble
	began, ended time.Time

	// renewals and news are how often Entra ID was asked for what the node has, and for a new resource.
	renewals, news int

	// first is the first answer to the application that asked for the new resource, and recovered is when it had its token.
	first     sample
	recovered time.Time

	// cached are the requests for what the node has, until the trouble was over.
	cached []sample
}

// over is when the trouble and its consequences were over.
func (p *phase) over() time.Time {
	if p.recovered.After(p.ended) {
		return p.recovered
	}
	return p.ended
}

func (p *phase) failed() (those []sample) {
	for _, one := range p.cached {
		if !one.granted() {
			those = append(those, one)
		}
	}
	return those
}

// check checks counts and statuses. Times depend on the machine.
func (p *phase) check(t *testing.T) {
	t.Helper()
	if failed := p.failed(); len(failed) > 0 || len(p.cached) == 0 {
		t.Errorf("Entra ID %s: %d of %d requests for cached tokens fail: %v", p.name, len(failed), len(p.cached), failed[:min(len(failed), 5)])
	}
	lasted := p.ended.Sub(p.began)
	if p.renewals == 0 && lasted > 2*renewalTick {
		t.Errorf("Entra ID %s: no token was due", p.name)
	}
	// Pauses double up to a minute.
	if most := 8 + int(lasted/time.Minute); p.news > most || p.renewals > 2*most {
		t.Errorf("Entra ID %s: it is asked %d times for two cached tokens and %d times for a new one, want %d for each at the most",
			p.name, p.renewals, p.news, most)
	}
	passes := p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable
	if p.first.status != p.status || (p.first.retryAfter != "") != passes {
		t.Errorf("Entra ID %s: the first answer to a request for a new resource is %v", p.name, p.first)
	}
	if late := p.recovered.Sub(p.ended); late > longestPause+renewalTick {
		t.Errorf("Entra ID %s: a new resource has its token %s afterwards", p.name, late)
	}
}

// recovery says when the new resource had its token.
func (p *phase) recovery() string {
	if p.recovered.Before(p.ended) {
		return fmt.Sprintf("after %.1f s", p.recovered.Sub(p.began).Seconds())
	}
	return fmt.Sprintf("%.1f s after the end", p.recovered.Sub(p.ended).Seconds())
}

// outageTable returns the table for the documentation. The first phase is what the others are compared with.
func outageTable(phases []*phase) string {
	var table strings.Builder
	fmt.Fprintln(&table, "| Entra ID | for | asked for cached tokens | failed | median, p99 | a new resource | its token | renewals | exchanges |")
	fmt.Fprintln(&table, strings.Repeat("| --- ", 9)+"|")
	calm := latenciesOf(phases[0].cached)
	for _, p := range phases {
		took := latenciesOf(p.cached)
		fmt.Fprintf(&table, "| %s | %s | %d | %d | %.1f×, %.1f× | %s | %s | %d | %d |\n",
			p.name, p.ended.Sub(p.began).Round(time.Second), len(p.cached), len(p.failed()),
			times(took.quantile(0.5), calm.quantile(0.5)), times(took.quantile(0.99), calm.quantile(0.99)),
			p.first, p.recovery(), p.renewals, p.news)
	}
	return table.String()
}
