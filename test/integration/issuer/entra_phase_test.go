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

func (p *phase) look(at *applications) { p.cached = at.between(p.began, latest(p.ended, p.recovered)) }

func latest(one, other time.Time) time.Time {
	if one.After(other) {
		return one
	}
	return other
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
		t.Errorf("Entra ID %s: %d of %d requests for cached tokens fail, the first with %v", p.name, len(failed), len(p.cached), failed[:min(len(failed), 1)])
	}
	lasted := p.ended.Sub(p.began)
	if p.renewals == 0 && lasted > 2*renewalTick {
		t.Errorf("Entra ID %s: no token was due", p.name)
	}
	// Pauses double up to a minute.
	if most := 8 + int(lasted/time.Minute); p.news > most || p.renewals > 2*most {
		t.Errorf("Entra ID %s: it is asked %d times for two cached tokens, and %d times for a new one, want %d each at the most", p.name, p.renewals, p.news, most)
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

// checkExpiry checks that a token is served for as long as it is valid, and no longer.
func (o *outage) checkExpiry(t *testing.T) {
	t.Helper()
	first, _ := o.short.first(sample.granted)
	for _, one := range o.short.saw {
		switch {
		case one.answered().Before(first.sent):
		case one.answered().Before(first.expires) && !one.granted():
			t.Errorf("%s before the short token expires: got %v", first.expires.Sub(one.sent), one)
		case !one.sent.Before(first.expires) && (one.status != http.StatusServiceUnavailable || one.retryAfter == ""):
			t.Errorf("%s after the short token expired: got %v", one.sent.Sub(first.expires), one)
		}
	}
}

// checkLogs checks that sidecars log no token. The issuer's log is checked when it ends.
func (o *outage) checkLogs(t *testing.T) {
	t.Helper()
	tokens := map[string]bool{}
	for _, one := range append(o.cached.saw, o.short.saw...) {
		tokens[one.token] = true
	}
	delete(tokens, "")
	for token := range tokens {
		o.keepSecret(token)
		for _, sidecar := range o.sidecars {
			if strings.Contains(sidecar.log.String(), token) {
				t.Error("a sidecar's log contains a token")
			}
		}
	}
}

// outageTable returns the table for the documentation. The first phase is what the others are compared with.
func outageTable(phases []*phase) string {
	var table strings.Builder
	fmt.Fprintln(&table, "| Entra ID | for | cached tokens: requests | failed | median | 99th percentile | a new resource: first answer | its token | asked to renew | for the new |")
	fmt.Fprintln(&table, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	calm := latenciesOf(phases[0].cached)
	for _, p := range phases {
		took := latenciesOf(p.cached)
		fmt.Fprintf(&table, "| %s | %s | %d | %d | %.1f× | %.1f× | %s | %s | %d | %d |\n", p.name, p.ended.Sub(p.began).Round(time.Second), len(p.cached), len(p.failed()),
			times(took.quantile(0.5), calm.quantile(0.5)), times(took.quantile(0.99), calm.quantile(0.99)), p.first, p.recovery(), p.renewals, p.news)
	}
	return table.String()
}

// expiryLine says what the application with the short token saw.
func (o *outage) expiryLine() string {
	first, _ := o.short.first(sample.granted)
	refused, _ := o.short.first(func(one sample) bool { return !one.sent.Before(first.expires) })
	var served latencies
	for _, one := range o.short.between(first.sent, first.expires) {
		if one.granted() {
			served = append(served, one.took)
		}
	}
	return fmt.Sprintf("a token that expires %s after it was issued, while Entra ID is down: served %d times until then, in %s at the most; then %s\n",
		first.expires.Sub(first.sent).Round(time.Second), len(served), served.quantile(1).Round(time.Millisecond), refused)
}
