package entra

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	type want struct {
		status, code int
		retryAfter   string
	}
	granted := want{status: http.StatusOK}
	for name, test := range map[string]struct {
		faults []Fault
		want   []want // of requests of orders for the vault, one after the other
	}{
		"none":                {nil, []want{granted}},
		"no time":             {[]Fault{{Code: 90033}}, []want{granted}},
		"next two":            {[]Fault{{Times: 2, Code: 700016}}, []want{{400, 700016, ""}, {400, 700016, ""}, granted}},
		"all":                 {[]Fault{{Times: -1, Code: 90033, RetryAfter: "5"}}, []want{{503, 90033, "5"}, {503, 90033, "5"}, {503, 90033, "5"}}},
		"unknown code":        {[]Fault{{Times: 1, Code: 12345}}, []want{{400, 12345, ""}, granted}},
		"code of other state": {[]Fault{{Times: 1, Code: 700213, Status: 400}}, []want{{400, 700213, ""}}},
		"throttled":           {[]Fault{{Times: 1, Status: 429, RetryAfter: "20"}}, []want{{429, 0, "20"}, granted}},
		"throttled by code":   {[]Fault{{Times: 1, Code: 90055, RetryAfter: "20"}}, []want{{429, 90055, "20"}, granted}},
		"unavailable":         {[]Fault{{Times: 1, Status: 503}}, []want{{503, 0, ""}, granted}},
		"one after the other": {[]Fault{{Times: 1, Status: 503}, {Times: 1, Code: 53003}}, []want{{503, 0, ""}, {400, 53003, ""}, granted}},
		"of another client":   {[]Fault{{ClientID: bills, Times: -1, Code: 90033}}, []want{granted}},
		"of this client":      {[]Fault{{ClientID: orders, Times: -1, Code: 90033}}, []want{{503, 90033, ""}}},
		"another resource":    {[]Fault{{Resource: storage, Times: -1, Code: 90033}}, []want{granted}},
		"this resource":       {[]Fault{{Resource: vault, Times: -1, Code: 90033}}, []want{{503, 90033, ""}}},
		"clock is ahead":      {[]Fault{{Times: 1, ClockOffset: 10 * time.Minute}}, []want{{401, 700024, ""}, granted}},
		"clock is behind":     {[]Fault{{Times: 1, ClockOffset: -time.Second}}, []want{{401, 700024, ""}, granted}},
		"slow":                {[]Fault{{Times: 1, Delay: time.Millisecond}}, []want{granted}},
		"slow and failing":    {[]Fault{{Times: 1, Delay: time.Millisecond, Status: 503}}, []want{{503, 0, ""}, granted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(test.faults...)
			for n, want := range test.want {
				got := w.ask(t)
				if got.status != want.status || got.code() != want.code || got.header.Get("Retry-After") != want.retryAfter {
					t.Errorf("request %d: got %d %s %v, want %+v", n, got.status, got.raw, got.header, want)
				}
			}
			w.Fail()
			if got := w.ask(t); got.status != http.StatusOK {
				t.Errorf("without faults: got %d %s", got.status, got.raw)
			}
		})
	}
}

func TestFaultsOfPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const claims = `{"access_token":{"capolids":{"essential":true}}}`
	w.Fail(Fault{Times: 1, Code: 53003, Suberror: "message_only", Claims: claims})
	if got := w.ask(t); got.body["suberror"] != "message_only" || got.body["claims"] != claims {
		t.Errorf("got %s", got.raw)
	}
	if got := w.ask(t, claiming("sub", "other")); got.body["suberror"] != nil || got.body["claims"] != nil {
		t.Errorf("got %s", got.raw)
	}
}

func TestFaultsOfLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(Fault{Resource: storage, Times: -1, ExpiresIn: 7})
	for resource, want := range map[string]float64{storage: 7, vault: float64(w.ExpiresIn)} {
		got := w.ask(t, with("scope", resource+"/.default"))
		_, claims := w.tokenOf(t, got)
		if life := claims["exp"].(float64) - claims["iat"].(float64) - backdating.Seconds(); got.body["expires_in"] != want || life != want+1 {
			t.Errorf("%s: expires_in = %v, the token lives for %v s, want %v", resource, got.body["expires_in"], life, want)
		}
	}
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(Fault{Times: 1, HangUp: true})
	if got, err := w.try(t); err == nil {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := w.ask(t); got.status != http.StatusOK {
		t.Errorf("afterwards: got %d %s", got.status, got.raw)
	}
	if stats := w.Stats(); stats.Exchanges[0].Asked != 2 || stats.Exchanges[0].Refused[0] != 1 || stats.InFlight != 0 {
		t.Errorf("stats = %+v", stats)
	}
}

func TestHeldRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	until := make(chan struct{})
	for name, test := range map[string]struct {
		fault   Fault
		release func()
	}{
		"until Release":           {Fault{Times: 3, Hold: true}, w.Release},
		"until a channel":         {Fault{Times: 3, Until: until}, func() { close(until) }},
		"until Release, and fail": {Fault{Times: 3, Hold: true, Status: 503}, w.Release},
	} {
		t.Run(name, func(t *testing.T) {
			w.Fail(test.fault)
			answers := make(chan int, 3)
			var asking sync.WaitGroup
			for range 3 {
				asking.Go(func() {
					got, err := w.try(t)
					if err != nil {
						t.Error(err)
					}
					answers <- got.status
				})
			}
			w.awaitHeld(t, 3)
			if got := w.ask(t); got.status != http.StatusOK {
				t.Errorf("another request: got %d %s", got.status, got.raw)
			}
			if stats := w.Stats(); stats.Held != 3 || stats.InFlight != 3 || stats.MaxInFlight != 4 || len(answers) > 0 {
				t.Errorf("%d answers, stats = %+v", len(answers), stats)
			}
			test.release()
			asking.Wait()
			close(answers)
			for status := range answers {
				if want := max(test.fault.Status, http.StatusOK); status != want {
					t.Errorf("got %d, want %d", status, want)
				}
			}
			w.ask(t)
			if stats := w.Stats(); stats.Held != 0 || stats.InFlight != 0 || stats.MaxInFlight != 4 {
				t.Errorf("afterwards, stats = %+v", stats)
			}
		})
	}
}

func TestAwaitHeldEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the test wants it")
	cancel(why)
	if err := w.AwaitHeld(ctx, 1); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if err := w.AwaitHeld(ctx, 0); err != nil {
		t.Error(err)
	}
}

// A request whose client has gone is held no longer, and not answered.
func TestHeldClientGoes(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{
		"until Release": {Times: 1, Hold: true}, "until a channel": {Times: 1, Until: make(chan struct{})}, "for an hour": {Times: 1, Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(fault)
			ctx, cancel := context.WithCancel(t.Context())
			sent, err := http.NewRequestWithContext(ctx, http.MethodPost, w.authority.URL+"/"+tenant+"/oauth2/v2.0/token", nil)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := w.send(sent)
				done <- err
			}()
			w.awaitHeld(t, 1)
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			w.authority.Close() // waits for the request
			if stats := w.Stats(); stats.Held != 0 || stats.InFlight != 0 || stats.Exchanges[0].Refused[0] != 1 {
				t.Errorf("stats = %+v", stats)
			}
		})
	}
}

// awaitHeld waits until requests are held.
func (w *world) awaitHeld(t *testing.T, number int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.AwaitHeld(ctx, number); err != nil {
		t.Fatal(err)
	}
}
