package federation

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

// watching is a watch of a site, with the number of changes that it has told and its log.
type watching struct {
	*Watch
	site     *site
	expected []string
	changes  int
	log      strings.Builder
}

// newWatching returns a watch whose files have one key.
func newWatching(t *testing.T) (w *watching, keyID string) {
	t.Helper()
	key := build.Key(t)
	jwks, err := token.JWKS([]*token.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	w = &watching{site: &site{kind: "application/json"}, expected: []string{key.ID}}
	server := httptest.NewTLSServer(w.site)
	t.Cleanup(server.Close)
	issuer := Issuer{URL: server.URL}
	discovery, err := issuer.Discovery()
	if err != nil {
		t.Fatal(err)
	}
	w.site.files = map[string]string{DiscoveryPath: string(discovery), KeysPath: string(jwks)}
	w.Watch = &Watch{
		Issuer: issuer, Expected: func() []string { return w.expected }, OnChange: func() { w.changes++ },
		Read: func(ctx context.Context) (map[string]bool, error) {
			return ReadPublic(ctx, server.Client(), issuer.URL)
		},
		Log: funcr.New(func(_, line string) { w.log.WriteString(line + "\n") }, funcr.Options{}),
	}
	return w, key.ID
}

func TestWatchKnowsWhatIsPublic(t *testing.T) {
	w, key := newWatching(t)
	if w.Has(key) {
		t.Error("a key counts as public before the files were read")
	}
	for range 2 {
		w.tell(w.read(t.Context()))
	}
	if !w.Has(key) || w.Has("another") || w.changes != 1 || testutil.ToFloat64(published) != 1 {
		t.Errorf("has the key: %t, another: %t; %d changes, metric %v", w.Has(key), w.Has("another"), w.changes, testutil.ToFloat64(published))
	}
	if lines := strings.Count(w.log.String(), "\n"); lines != 1 {
		t.Errorf("log of one change:\n%s", &w.log)
	}
}

func TestWatchTellsWhatIsMissing(t *testing.T) {
	w, key := newWatching(t)
	w.tell(w.read(t.Context()))
	w.expected = append(w.expected, "next")
	w.tell(w.read(t.Context()))
	if testutil.ToFloat64(published) != 0 || !strings.Contains(w.log.String(), "lack next: publish the files of `kubectl imds federation publish`") {
		t.Errorf("metric %v, log:\n%s", testutil.ToFloat64(published), &w.log)
	}
	w.site.files = nil
	w.tell(w.read(t.Context()))
	if !w.Has(key) {
		t.Error("what was public is forgotten when the files cannot be read")
	}
}

// A successor is published by a person. The watch does not wait an hour for it.
func TestWatchReadsAgainWhenKeysChange(t *testing.T) {
	w, key := newWatching(t)
	changed, read := make(chan struct{}), make(chan struct{})
	w.Changed = func() <-chan struct{} { return changed }
	w.OnChange = func() { read <- struct{}{} }
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Start(ctx)
	}()
	<-read
	w.site.become(KeysPath, `{"keys":[]}`)
	changed <- struct{}{}
	<-read
	if w.Has(key) {
		t.Error("the key counts as public although it is gone")
	}
	cancel()
	<-ended
}
