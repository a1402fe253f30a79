package controller

import (
	"testing"

	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/testing/scrape"
)

// The test is not parallel, because it counts objects.
func TestObjectsAreCounted(t *testing.T) {
	s := start(t)
	s.controller.untilIdle(t, s.work(t))
	ready := func() float64 {
		return s.controller.scrape(t).Sum("kube_imds_controller_managed_identities", `ready="true"`)
	}
	unready := func() float64 {
		return s.controller.scrape(t).Sum("kube_imds_controller_identity_bindings", `ready="false"`)
	}
	readyBefore, unreadyBefore := ready(), unready()
	s.create(t, build.NewIdentity("scraped").ManagedIdentity,
		build.NewBinding("default", "scraped").Of("default").To("scraped").IdentityBinding)
	until(t, "the identity is counted as ready", func() bool { return ready() == readyBefore+1 })
	until(t, "the binding is counted as not ready", func() bool { return unready() == unreadyBefore+1 })
}

func (r *replica) scrape(t *testing.T) scrape.Metrics {
	t.Helper()
	metrics, err := scrape.From(t.Context(), r.metrics)
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}
