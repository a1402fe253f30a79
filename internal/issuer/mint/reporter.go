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
	waiting chan signerapi.OutcomeRequest

	mu   sync.Mutex
	told map[string]reported
}

// reported is the last report about an identity.
type reported struct {
	code        int
	unreachable bool
	at          time.Time
}

// NewReporter returns a reporter that reports with a function.
func NewReporter(send func(ctx context.Context, outcome signerapi.OutcomeRequest) error, log logr.Logger, now func() time.Time) *Reporter {
	return &Reporter{send: send, log: log, now: now, waiting: make(chan signerapi.OutcomeRequest, maxWaiting), told: map[string]reported{}}
}

// Report reports an outcome soon, if it is news.
func (r *Reporter) Report(outcome signerapi.OutcomeRequest) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	last, found := r.told[outcome.Identity]
	if found && last.code == outcome.Code && last.unreachable == outcome.Unreachable && now.Sub(last.at) < reportAgain {
		return
	}
	select {
	case r.waiting <- outcome:
	default:
		// The signer is away. The next outcome is reported instead.
		return
	}
	if len(r.told) >= maxReported {
		clear(r.told)
	}
	r.told[outcome.Identity] = reported{outcome.Code, outcome.Unreachable, now}
}

// NeedLeaderElection returns false: every issuer reports its own outcomes.
func (r *Reporter) NeedLeaderElection() bool { return false }

// Start sends the reports until the context ends.
func (r *Reporter) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case outcome := <-r.waiting:
			if err := r.send(ctx, outcome); err != nil && ctx.Err() == nil {
				r.log.Info("cannot report what Entra ID answered", "identity", outcome.Identity, "reason", err.Error())
				r.forget(outcome.Identity)
			}
		}
	}
}

// forget makes the next outcome of an identity news.
func (r *Reporter) forget(identity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.told, identity)
}
