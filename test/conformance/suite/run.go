package suite

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Options choose the cases and the way to run them.
type Options struct {
	// Only and Skip choose cases by name. Nil chooses all, and skips none.
	Only, Skip *regexp.Regexp

	// Azure leaves out our own choices.
	Azure bool

	// Timeout bounds each request. The default is ten seconds.
	Timeout time.Duration

	// Pace is the minimum time between two requests: a virtual machine limits them to five a second.
	Pace time.Duration

	// Report, if set, is called with each result.
	Report func(Result)
}

const defaultTimeout = 10 * time.Second

// Outcome is the outcome of a case.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Failed  Outcome = "FAIL"
	Skipped Outcome = "skip"
)

// Result is the result of a case.
type Result struct {
	Case    Case
	Outcome Outcome

	// Reason is why a case was skipped.
	Reason string

	// Failures are the expectations that failed.
	Failures []error

	answers []answer
	asked   []request
}

// Run runs the chosen cases against a target. An error is about the target or the context; wrong answers are in the
// results.
func Run(ctx context.Context, target Target, options Options) ([]Result, error) {
	return run(ctx, Cases(), target, options)
}

func run(ctx context.Context, cases []Case, target Target, options Options) ([]Result, error) {
	host, err := target.host()
	if err != nil {
		return nil, err
	}
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	r := runner{wire: wire{host: host, timeout: options.Timeout}, options: options}
	if options.Pace > 0 {
		ticker := time.NewTicker(options.Pace)
		defer ticker.Stop()
		r.wire.pace = ticker.C
	}
	if r.known, err = learn(ctx, r.wire, target); err != nil {
		return nil, fmt.Errorf("no server at %s: %w", target.URL, err)
	}
	var results []Result
	for _, c := range cases {
		if !options.Chooses(c) {
			continue
		}
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		result := r.run(ctx, c)
		if options.Report != nil {
			options.Report(result)
		}
		results = append(results, result)
	}
	return results, nil
}

// Chooses reports whether a case is run. Cases in Skip are reported as skipped.
func (o Options) Chooses(c Case) bool {
	return (o.Only == nil || o.Only.MatchString(c.Name)) && (!o.Azure || !c.OurChoice)
}

type runner struct {
	wire    wire
	known   *knowledge
	options Options
}

func (r runner) run(ctx context.Context, c Case) Result {
	result := Result{Case: c, Outcome: Skipped}
	if r.options.Skip != nil && r.options.Skip.MatchString(c.Name) {
		result.Reason = "-skip names it"
		return result
	}
	talk := conversation{atOnce: c.conversation.atOnce}
	for _, request := range c.conversation.requests {
		if result.Reason = r.known.lacks(request.target + request.body + request.bytes); result.Reason != "" {
			return result
		}
		talk.requests = append(talk.requests, r.known.fillRequest(request))
	}
	answers, err := r.converse(ctx, talk)
	result.asked, result.answers = talk.requests, answers
	if err != nil {
		result.Outcome, result.Failures = Failed, []error{err}
		return result
	}
	return r.judge(result)
}

// judge checks answers against everyAnswer and the case's expectations.
func (r runner) judge(result Result) Result {
	seen := &seen{answers: result.answers, known: r.known, azure: r.options.Azure}
	for _, expectation := range append([]Expectation{everyAnswer}, result.Case.expectations...) {
		err := expectation.holds(seen)
		var skip *skipError
		if errors.As(err, &skip) {
			result.Reason = skip.reason
			return result
		}
		if err != nil {
			result.Failures = append(result.Failures, err)
		}
	}
	result.Outcome = OK
	if len(result.Failures) > 0 {
		result.Outcome = Failed
	}
	return result
}
