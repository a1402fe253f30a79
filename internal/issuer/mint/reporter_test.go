package mint

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

func TestReporterReportsNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var sent []int
		var away error
		reporter := NewReporter(func(_ context.Context, outcome signerapi.OutcomeRequest) error {
			sent = append(sent, outcome.Code)
			return away
		}, logr.Discard(), time.Now)
		go func() { _ = reporter.Start(ctx) }()
		report := func(code int) {
			reporter.Report("", signerapi.OutcomeRequest{Identity: "orders", Code: code})
			synctest.Wait()
		}
		for _, code := range []int{0, 0, 700213, 700213, 0} {
			report(code)
		}
		time.Sleep(time.Hour)
		report(0)
		away = errors.New("away")
		report(70025)
		away = nil
		report(70025)
		reporter.Forget("", "bills")
		report(70025)
		reporter.Forget("", "orders")
		report(70025)
		if want := fmt.Sprint([]int{0, 700213, 0, 0, 70025, 70025, 70025}); fmt.Sprint(sent) != want {
			t.Errorf("sent %v, want %s", sent, want)
		}
	})
}

func TestReporterDoesNotWait(t *testing.T) {
	t.Parallel()
	reporter := NewReporter(nil, logr.Discard(), time.Now)
	for n := range 2 * maxWaiting {
		reporter.Report("", signerapi.OutcomeRequest{Identity: fmt.Sprint(n)})
	}
	if len(reporter.told) != maxWaiting {
		t.Errorf("%d reports count as told, want those that wait", len(reporter.told))
	}
}
