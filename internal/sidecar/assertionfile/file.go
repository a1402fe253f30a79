// Package assertionfile keeps an identity's assertion fresh in a file, for SDKs that exchange it at Entra ID themselves
// (docs/workload-identity.md).
package assertionfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
)

// Options say which file has which assertion.
type Options struct {
	// Path is the file's, in a folder that the sidecar may write to.
	Path string

	// ClientID is the identity's.
	ClientID string

	// Assertion returns an assertion of the identity, and when it expires.
	Assertion func(ctx context.Context, clientID string) (string, time.Time, error)

	Logger *slog.Logger

	// Settled is called once the file is written or the identity is refused.
	Settled func()
}

// File is the file of one identity's assertion.
type File struct {
	Options
	changed chan struct{}
}

// New returns a file that Run keeps fresh.
func New(options Options) *File { return &File{options, make(chan struct{}, 1)} }

// The pauses between attempts while the issuer is away.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
)

// Run keeps the file fresh until the context ends.
func (f *File) Run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		wait, err := f.refresh(ctx)
		if err != nil {
			if failures++; failures == 1 && ctx.Err() == nil {
				f.Logger.Warn("the assertion is not renewed", "file", f.Path, "error", err)
			}
			wait = min(minPause<<min(failures-1, 10), maxPause)
			wait = wait/2 + rand.N(wait/2)
		} else {
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-f.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// GrantChanged makes Run look again.
func (f *File) GrantChanged() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// refresh writes a new assertion, and returns when to do so again. A refused identity has no file: what it held must not be used
// any longer.
func (f *File) refresh(ctx context.Context) (next time.Duration, err error) {
	assertion, expiry, err := f.Assertion(ctx, f.ClientID)
	if refusal, found := errors.AsType[*imds.Error](err); found && refusal.Status == http.StatusBadRequest {
		if removal := os.Remove(f.Path); removal != nil && !errors.Is(removal, os.ErrNotExist) {
			return 0, fmt.Errorf("remove the assertion of a refused identity: %w", removal)
		}
		f.Settled()
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	if err := f.write(assertion); err != nil {
		return 0, fmt.Errorf("write the assertion: %w", err)
	}
	f.Settled()
	// Half of what is left, so that the file outlives a short outage of the issuer.
	left := time.Until(expiry)
	return max(left/2-rand.N(max(left/20, 1)), minPause), nil
}

// write replaces the file at once: applications run as other users, and read it at any moment.
func (f *File) write(assertion string) error {
	folder := filepath.Dir(f.Path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	next, err := os.CreateTemp(folder, ".next-*")
	if err != nil {
		return err
	}
	_, err = next.WriteString(assertion)
	err = errors.Join(err, next.Chmod(0o644), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(next.Name())
	}
	return err
}
