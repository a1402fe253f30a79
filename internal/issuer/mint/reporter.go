package mint

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// reportAgain is how long an unchanged answer of Entra ID is not reported again.
	reportAgain = time.Hour

	// maxReported bounds what is remembered, and maxWaiting the reports that wait for the signer.
	maxReported = 1000
	maxWaiting  = 100
)

// Reporter reports to the signer what Entra ID answers, when that changes. No request waits for it.
type Reporter struct {
	send    func(ctx context.Context, outcome signerapi.OutcomeRequest) error
	log     logr.Logger
	now     func() time.Time
	waiting chan report

	mu   sync.Mutex
	told map[topic]reported
}

// topic is what a report is about: an identity and the subject of the assertion.
type topic struct{ identity, subject string }

// report is a report that waits.
type report struct {
	topic   topic
	outcome signerapi.OutcomeRequest
}

// reported is the last report about something.
type reported struct {
	code        int
	unreachable bool
	at          time.Time
}

// NewReporter returns a reporter that reports with a function.
func NewReporter(send func(ctx context.Context, outcome signerapi.OutcomeRequest) error, log logr.Logger, now func() time.Time) *Reporter {
	return &Reporter{send: send, log: log, now: now, waiting: make(chan report, maxWaiting), told: map[topic]reported{}}
}

// Report reports an outcome soon, if it is news.
func (r *Reporter) Report(subject string, outcome signerapi.OutcomeRequest) {
	now, on := r.now(), topic{outcome.Identity, subject}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, found := r.told[on]
	if found && last.code == outcome.Code && last.unreachable == outcome.Unreachable && now.Sub(last.at) < reportAgain {
		return
	}
	select {
	case r.waiting <- report{on, outcome}:
	default:
		// The signer is away. The next outcome is reported instead.
		return
	}
	if len(r.told) >= maxReported {
		clear(r.told)
	}
	r.told[on] = reported{outcome.Code, outcome.Unreachable, now}
}

// NeedLeaderElection returns false: every issuer reports its own outcomes.
func (r *Reporter) NeedLeaderElection() bool { return false }

// Start sends the reports until the context ends.
func (r *Reporter) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case report := <-r.waiting:
			if err := r.send(ctx, report.outcome); err != nil && ctx.Err() == nil {
				r.log.Info("cannot report what Entra ID answered", "identity", report.topic.identity, "reason", err.Error())
				r.Forget(report.topic.subject, report.topic.identity)
			}
		}
	}
}

// Forget makes the next outcome news.
func (r *Reporter) Forget(subject, identity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.told, topic{identity, subject})
}
