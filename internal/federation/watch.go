package federation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

var published = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "kube_imds_signer_federation_published",
	Help: "1 where the public files at the federation issuer's URL have all its keys: the log says what is missing.",
})

// Collectors returns the package's metrics.
func Collectors() []prometheus.Collector { return []prometheus.Collector{published} }

const (
	// readEvery is how often the public files are read, and readMissingEvery how often while a key is missing.
	readEvery        = time.Hour
	readMissingEvery = 10 * time.Second
)

// Watch finds out again and again which keys are public.
type Watch struct {
	Issuer Issuer

	// Read returns the IDs of the keys that are public, or were recorded as such.
	Read func(ctx context.Context) (map[string]bool, error)

	// Expected returns the IDs of the keys that should be public.
	Expected func() []string

	// OnChange is called when other keys are public. Changed returns a channel that is closed when other keys are expected.
	OnChange func()
	Changed  func() <-chan struct{}

	Log logr.Logger

	public atomic.Pointer[map[string]bool]
	told   *string
}

// Has reports whether a key was public when that was last found out.
func (w *Watch) Has(id string) bool {
	public := w.public.Load()
	return public != nil && (*public)[id]
}

// NeedLeaderElection returns false: every replica looks. The ring keeps when one of them has first seen a key.
func (w *Watch) NeedLeaderElection() bool { return false }

// Start watches until the context ends.
func (w *Watch) Start(ctx context.Context) error {
	for {
		changed, wait := w.Changed(), readEvery
		if err := w.read(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			wait = readMissingEvery
			w.tell(err)
		} else {
			w.tell(nil)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		case <-changed:
		}
	}
}

var errNoKeys = errors.New("there is no key yet")

// read finds out once and compares. What was public stays so when it cannot be found out.
func (w *Watch) read(ctx context.Context) error {
	public, err := w.Read(ctx)
	if err != nil {
		return err
	}
	if before := w.public.Swap(&public); before == nil || !maps.Equal(*before, public) {
		w.OnChange()
	}
	expected := w.Expected()
	if len(expected) == 0 {
		return errNoKeys
	}
	missing := slices.DeleteFunc(slices.Clone(expected), func(id string) bool { return public[id] })
	if len(missing) > 0 {
		return fmt.Errorf("the public keys lack %s: %s", strings.Join(missing, ", "), w.Issuer.HowToPublish())
	}
	return nil
}

// tell sets the metric, and logs what has changed.
func (w *Watch) tell(err error) {
	text := ""
	published.Set(1)
	if err != nil {
		text = err.Error()
		published.Set(0)
	}
	if w.told != nil && *w.told == text {
		return
	}
	w.told = &text
	if err == nil {
		w.Log.Info("the federation issuer's keys are public", "issuer", w.Issuer.URL)
	} else if !errors.Is(err, errNoKeys) {
		w.Log.Error(err, "Entra ID cannot verify all assertions")
	}
}
