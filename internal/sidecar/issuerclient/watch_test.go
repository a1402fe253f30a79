package issuerclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// step is one response to a watch and its delay.
type step struct {
	takes time.Duration
	grant *issuerapi.Grant
	err   error
}

// script answers a watch step by step, and then never.
type script struct {
	steps     []step
	revisions []string
	at        []time.Time
}

func (s *script) Grant(ctx context.Context, revision string) (*issuerapi.Grant, error) {
	s.revisions, s.at = append(s.revisions, revision), append(s.at, time.Now())
	if len(s.steps) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	time.Sleep(step.takes)
	return step.grant, step.err
}

// gap returns the time between a request and the next one.
func (s *script) gap(i int) time.Duration { return s.at[i+1].Sub(s.at[i]) }

// watching runs a watch through a script in a synctest bubble, and returns the reported changes.
func watching(t *testing.T, script *script) (changes []string, answers int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	watch := GrantWatch{
		Source:   script,
		Logger:   slog.New(slog.DiscardHandler),
		Answered: func() { answers++ },
		Changed:  func(grant *issuerapi.Grant) { changes = append(changes, grant.Revision) },
	}
	watch.Run(ctx)
	return changes, answers
}

func TestWatchReportsChangesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := &script{steps: []step{
			{grant: &issuerapi.Grant{Revision: "r1"}},
			{takes: 50 * time.Second},
			{takes: 5 * time.Second, grant: &issuerapi.Grant{Revision: "r2"}},
			{err: errors.New("connection refused")},
			{err: errors.New("connection refused")},
			{grant: &issuerapi.Grant{Revision: "r2"}},
			{grant: &issuerapi.Grant{Revision: "r1"}},
		}}
		changes, answers := watching(t, script)
		if difference := cmp.Diff([]string{"r1", "r2", "r1"}, changes); difference != "" {
			t.Error("changes (-want +got):\n" + difference)
		}
		if difference := cmp.Diff([]string{"", "r1", "r1", "r2", "r2", "r2", "r2", "r1"}, script.revisions); difference != "" {
			t.Error("revisions (-want +got):\n" + difference)
		}
		if answers != 5 {
			t.Errorf("%d responses", answers)
		}
		if gap := script.gap(1); gap != 50*time.Second {
			t.Errorf("after a long wait the next request comes %s later", gap-50*time.Second)
		}
	})
}

func TestWatchBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing := &script{}
		for range restartFailures + 12 {
			failing.steps = append(failing.steps, step{err: errors.New("connection refused")})
		}
		watching(t, failing)
		for i := range restartFailures + 12 {
			longest := min(minPause<<max(i+1-restartFailures, 0), maxPause)
			if gap := failing.gap(i); gap < longest/2 || gap > longest {
				t.Errorf("pause after failure %d = %s", i+1, gap)
			}
		}
	})
}

func TestWatchPausesIfTheIssuerDoesNotHoldRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hasty := &script{steps: make([]step, 10)}
		watching(t, hasty)
		for i := range 10 {
			if gap := hasty.gap(i); gap < minPause {
				t.Errorf("next request after %s", gap)
			}
		}
	})
}

func TestGrantIsAskedForByRevision(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("If-None-Match") {
		case "":
			io.WriteString(w, `{"revision":"r1"}`)
		case `"r1"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}).client(t)

	got, err := client.Grant(t.Context(), "")
	want := &issuerapi.Grant{Revision: "r1"}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("first grant, error %v (-want +got):\n%s", err, difference)
	}
	if got, err := client.Grant(t.Context(), "r1"); got != nil || err != nil {
		t.Errorf("unchanged grant: got %v, error %v", got, err)
	}
	if got, err := client.Grant(t.Context(), "r2"); got != nil || err == nil {
		t.Errorf("issuer is not ready: got %v, error %v", got, err)
	}
}
