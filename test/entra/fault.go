package entra

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Fault makes requests for tokens fail, or slow, or tokens short. Without a code, a status and HangUp the request is answered as
// always.
type Fault struct {
	// ClientID and Resource say which requests; empty means any.
	ClientID, Resource string

	// Times is how many requests; a negative number means all.
	Times int

	// Code is an AADSTS code to answer with, and Status the HTTP status if it is not the code's own. A status without a code
	// has a body that is not JSON, as of something in between.
	Code, Status int

	// Suberror and Claims are members of an error with a code.
	Suberror, Claims string

	// RetryAfter is the value of that header.
	RetryAfter string

	// HangUp closes the connection without an answer.
	HangUp bool

	// Until holds the request until it is closed, Hold until Release instead, and Delay for a time of the real clock.
	Until <-chan struct{} `json:"-"`
	Hold  bool
	Delay time.Duration

	// ExpiresIn is the expires_in of tokens, if not 0.
	ExpiresIn int

	// ClockOffset is how far the stand-in's clock is ahead, or if negative behind.
	ClockOffset time.Duration
}

// maxFaults bounds the faults at a time.
const maxFaults = 100

// Fail replaces all faults. The first that fits a request is carried out. Without an argument no request fails.
func (s *Server) Fail(those ...Fault) { s.faults.set(those) }

// Release lets all requests go on that Hold holds. A test server waits for held requests in Close.
func (s *Server) Release() { s.faults.release() }

// AwaitHeld waits until a number of requests is held.
func (s *Server) AwaitHeld(ctx context.Context, number int) error {
	for {
		held, changed := s.faults.heldNow()
		if held >= number {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d requests are held, want %d: %w", held, number, context.Cause(ctx))
		}
	}
}

// faults are the faults and the requests that they hold.
type faults struct {
	mu       sync.Mutex
	pending  []Fault
	released chan struct{}

	held    int
	changed chan struct{} // closed when held changes
}

func newFaults() faults {
	return faults{released: make(chan struct{}), changed: make(chan struct{})}
}

func (f *faults) set(those []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append([]Fault(nil), those[:min(len(those), maxFaults)]...)
}

func (f *faults) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.released)
	f.released = make(chan struct{})
}

// take returns the fault of a request, or none.
func (f *faults) take(asked Exchange) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.pending {
		one := &f.pending[n]
		if one.Times == 0 || one.ClientID != "" && one.ClientID != asked.ClientID || one.Resource != "" && one.Resource != asked.Resource {
			continue
		}
		if one.Times > 0 {
			one.Times--
		}
		taken := *one
		if taken.Hold {
			taken.Until = f.released
		}
		return taken
	}
	return Fault{}
}

// wait holds a request, and reports whether its connection is to be closed: by the fault, or because the client has gone.
func (f *faults) wait(ctx context.Context, fault Fault) (hangUp bool) {
	if fault.Until != nil || fault.Delay > 0 {
		f.hold(1)
		defer f.hold(-1)
	}
	if fault.Until != nil {
		select {
		case <-fault.Until:
		case <-ctx.Done():
		}
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return fault.HangUp || ctx.Err() != nil
}

func (f *faults) hold(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held += number
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *faults) heldNow() (int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held, f.changed
}

// answer is the answer of a fault with a code or a status.
func (f Fault) answer(asked *ask) answer {
	given := answer{status: f.Status, body: "<html><body>A test wants this to fail.</body></html>", retryAfter: f.RetryAfter}
	if f.Code == 0 {
		return given
	}
	refused := &refusal{code: f.Code, description: "A test wants this to fail.", suberror: f.Suberror, claims: f.Claims}
	given = refused.answer(asked)
	given.retryAfter = f.RetryAfter
	if f.Status != 0 {
		given.status = f.Status
	}
	return given
}
