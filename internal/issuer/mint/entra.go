package mint

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// Entra mints tokens by exchanging assertions at Entra ID: the signer's, or the pod's own. It belongs behind a shared cache.
type Entra struct {
	Assertions AssertionClient

	// Own returns the pod that a ServiceAccount token for an audience is bound to.
	Own func(audience, token string) (workload.Workload, error)

	Exchange func(ctx context.Context, request entra.Request) (*entra.Token, error)

	// Cloud is the Azure cloud of identities that name no authority, by its name in IMDS.
	Cloud string

	// Pauses keeps an identity that fails from asking too often.
	Pauses *Pauses

	// Outcomes hears of every answer to an assertion, and Log of failures.
	Outcomes Outcomes
	Log      func(err error, identity, resource string)

	Now func() time.Time
}

// Outcomes hears what became of assertions with a subject, which is "" for the identity itself.
type Outcomes interface {
	// Report hears what Entra ID answered.
	Report(subject string, outcome signerapi.OutcomeRequest)

	// Forget hears that the signer keeps something else of an identity than what was reported: that no key is public.
	Forget(subject, identity string)
}

var exchanges = prometheus.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "kube_imds_issuer_exchange_seconds",
	Help:    "Time to exchange an assertion at Entra ID, by outcome (issued, refused, unavailable).",
	Buckets: []float64{.01, .02, .05, .1, .2, .5, 1, 2, 4, 8},
}, []string{"outcome"})

// Mint exchanges an assertion for a token, unless the identity pauses after a failure.
func (e *Entra) Mint(ctx context.Context, request Request) (Minted, error) {
	pause := e.Pauses.of(request)
	refund, err := pause.admit(e.Now())
	if err != nil {
		return Minted{}, err
	}
	assertion, err := e.assertion(ctx, request)
	if err != nil {
		refund()
		e.unasked(request, err)
		return Minted{}, err
	}
	start := time.Now()
	issued, err := e.Exchange(ctx, entra.Request{
		Authority: entra.AuthorityFor(request.Identity, e.Cloud), TenantID: string(request.Identity.Status.TenantID),
		ClientID: string(request.Identity.Status.ClientID), Resource: request.Resource, Assertion: assertion,
	})
	e.tell(request, err)
	exchanges.WithLabelValues(outcomeOf(err)).Observe(time.Since(start).Seconds())
	if err != nil {
		return Minted{}, pause.fail(failed(err), e.Now())
	}
	pause.succeed()
	return Minted{
		Signed: token.Signed{Token: issued.AccessToken, NotBefore: issued.Issued, Expiry: issued.Expiry}, RenewAt: issued.RefreshAt,
	}, nil
}

// tell reports what Entra answered.
func (e *Entra) tell(request Request, err error) {
	outcome := signerapi.OutcomeRequest{
		Pod: signerapi.Pod{UID: request.Pod.UID}, Identity: request.Identity.Name, Resource: request.Resource,
	}
	if err != nil {
		e.Log(err, request.Identity.Name, request.Resource)
		answered, found := errors.AsType[*entra.Error](err)
		if found {
			outcome.Code = answered.Code
		}
		outcome.Unreachable = outcome.Code == 0
	}
	e.Outcomes.Report(subjectOf(request), outcome)
}

// unasked makes the next answer news if the signer has signed nothing because no key is public.
func (e *Entra) unasked(request Request, err error) {
	if failed, ok := errors.AsType[*failure.Failure](err); ok && failed.Reason == failure.ReasonNotPublished {
		e.Outcomes.Forget(subjectOf(request), request.Identity.Name)
	}
}

func outcomeOf(err error) string {
	switch answered, found := errors.AsType[*entra.Error](err); {
	case err == nil:
		return "issued"
	case found && !answered.Temporary():
		return "refused"
	}
	return "unavailable"
}

// failed returns the failure of an exchange. The application gets Entra's own error, as IMDS passes it on (imds-contract.md
// section 4), without its description: that repeats the assertion's subject.
func failed(err error) *failure.Failure {
	answered, found := errors.AsType[*entra.Error](err)
	if !found {
		return failure.NotNow(err.Error())
	}
	f := &failure.Failure{Reason: failure.ReasonEntra, Detail: answered.Error(), Description: answered.Error(), RetryAfter: answered.RetryAfter}
	switch {
	case answered.Throttled():
		f.Kind, f.RetryAfter = failure.Throttled, max(f.RetryAfter, time.Second)
	case answered.Temporary():
		f.Kind, f.RetryAfter = failure.Unavailable, max(f.RetryAfter, time.Second)
	case answered.Cause() == entra.CauseResource:
		f.Kind, f.RetryAfter = failure.InvalidResource, 0
	default:
		f.Kind, f.RetryAfter = failure.Invalid, 0
	}
	return f
}
