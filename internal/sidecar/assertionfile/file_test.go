package assertionfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// stage runs a File with an issuer that signs numbered assertions for ten minutes.
type stage struct {
	*testing.T
	*File
	log bytes.Buffer

	mu      sync.Mutex
	err     error
	asked   int
	settled int
}

// become makes the issuer answer with an error or, with nil, an assertion.
func (s *stage) become(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// count returns how often the issuer was asked, and how often the file was settled.
func (s *stage) count() (asked, settled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.settled
}

func onStage(t *testing.T, test func(*stage)) {
	t.Helper()
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := &stage{T: t}
		s.File = New(Options{
			Path: filepath.Join(folder, "token", "assertion"), ClientID: "client", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
			Settled: func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.settled++
			},
			Assertion: func(_ context.Context, clientID string) (string, time.Time, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.asked++
				if clientID != "client" {
					t.Errorf("asked for %q", clientID)
				}
				return fmt.Sprint("assertion ", s.asked), time.Now().Add(10 * time.Minute), s.err
			},
		})
		go s.File.Run(ctx)
		synctest.Wait()
		test(s)
	})
}

// after lets time pass.
func (s *stage) after(duration time.Duration) {
	time.Sleep(duration)
	synctest.Wait()
}

// want checks the file's content; "" means that there is none.
func (s *stage) want(content string) {
	s.Helper()
	got, err := os.ReadFile(s.Path)
	if string(got) != content || (content == "") != errors.Is(err, os.ErrNotExist) {
		s.Errorf("the file has %q, want %q, error %v", got, content, err)
	}
}

func TestFileIsKeptFresh(t *testing.T) {
	onStage(t, func(s *stage) {
		s.want("assertion 1")
		s.after(4 * time.Minute)
		s.want("assertion 1")
		s.after(time.Minute)
		s.want("assertion 2")
		if _, settled := s.count(); settled == 0 {
			t.Error("nobody is told")
		}
		info, err := os.Stat(s.Path)
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("mode = %v, error %v", info.Mode(), err)
		}
		entries, _ := os.ReadDir(filepath.Dir(s.Path))
		if len(entries) != 1 {
			t.Errorf("files = %v", entries)
		}
		if strings.Contains(s.log.String(), "assertion 1") {
			t.Errorf("the log has an assertion: %s", s.log.String())
		}
	})
}

// The file outlives an outage of the issuer, and is renewed soon after it.
func TestFileWhenIssuerIsAway(t *testing.T) {
	onStage(t, func(s *stage) {
		s.become(errors.New("connection refused"))
		s.after(9 * time.Minute)
		s.want("assertion 1")
		if asked, _ := s.count(); asked > 20 {
			t.Errorf("the issuer was asked %d times", asked)
		}
		s.become(nil)
		s.after(30 * time.Second)
		asked, _ := s.count()
		s.want(fmt.Sprint("assertion ", asked))
	})
}

func TestWithdrawnIdentityLosesTheFile(t *testing.T) {
	onStage(t, func(s *stage) {
		s.become(&imds.Error{Status: http.StatusBadRequest})
		s.GrantChanged()
		synctest.Wait()
		s.want("")
		s.become(nil)
		s.GrantChanged()
		synctest.Wait()
		s.want("assertion 3")
	})
}

func TestRefusedAtTheStartIsSettled(t *testing.T) {
	onStage(t, func(s *stage) {
		_, before := s.count()
		s.become(&imds.Error{Status: http.StatusServiceUnavailable})
		s.GrantChanged()
		synctest.Wait()
		if _, settled := s.count(); settled != before {
			t.Error("settled while the issuer is away")
		}
		s.become(&imds.Error{Status: http.StatusBadRequest})
		s.GrantChanged()
		synctest.Wait()
		if _, settled := s.count(); settled != before+1 {
			t.Error("not settled after a refusal")
		}
	})
}
