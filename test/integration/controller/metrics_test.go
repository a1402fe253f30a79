package controller

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// The test is not parallel, because it counts objects.
func TestObjectsAreCounted(t *testing.T) {
	s := start(t)
	s.controller.untilIdle(t, s.work(t))
	ready := func() float64 {
		return s.controller.scrape(t).sum("kube_imds_controller_managed_identities", `ready="true"`)
	}
	unready := func() float64 {
		return s.controller.scrape(t).sum("kube_imds_controller_identity_bindings", `ready="false"`)
	}
	readyBefore, unreadyBefore := ready(), unready()
	s.create(t, build.NewIdentity("scraped").ManagedIdentity,
		build.NewBinding("default", "scraped").Of("default").To("scraped").IdentityBinding)
	until(t, "the identity is counted as ready", func() bool { return ready() == readyBefore+1 })
	until(t, "the binding is counted as not ready", func() bool { return unready() == unreadyBefore+1 })
}

// metrics holds the lines of a scrape.
type metrics []string

func (r *replica) scrape(t *testing.T) metrics {
	t.Helper()
	response, err := http.Get("http://" + r.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var lines metrics
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// sum returns the sum over all series of a metric that have a label.
func (m metrics) sum(name, label string) float64 {
	var sum float64
	for _, line := range m {
		labels, value, ok := strings.Cut(line, "} ")
		if ok && strings.HasPrefix(labels, name+"{") && strings.Contains(labels, label) {
			number, err := strconv.ParseFloat(value, 64)
			if err == nil {
				sum += number
			}
		}
	}
	return sum
}
