package issuerclient

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// An authority is replaced as it is meant to be, while a pod asks without end: none of its requests fails.
func TestRotationIsNotNoticed(t *testing.T) {
	t.Parallel()
	old, successor := newAuthority(t), newAuthority(t)
	issuer := newIssuerOf(t, old, grantsAndTokens)
	volume := newVolume(t)
	client := issuer.clientTrusting(t, old.bundle, volume, nil)

	var answered, failed atomic.Int64
	var running sync.WaitGroup
	defer running.Wait()
	stop := make(chan struct{})
	defer close(stop)
	for _, ask := range []func() error{
		func() error { _, err := client.Token(t.Context(), request); return err },
		func() error { _, err := client.Token(t.Context(), request); return err },
		func() error { _, err := client.Grant(t.Context(), "r1"); return err },
	} {
		running.Go(func() {
			for !isClosed(stop) {
				if err := ask(); err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	asked := func() {
		t.Helper()
		for before := answered.Load(); answered.Load() < before+20 && failed.Load() == 0; {
			awaitABit(t)
		}
	}
	for _, step := range []func(){
		func() { volume.write(t, old.bundle) },
		func() { volume.write(t, old.bundle+successor.bundle) },
		func() { issuer.serveBy(t, successor) },
		func() { volume.write(t, successor.bundle+old.bundle) },
		func() { volume.write(t, successor.bundle) },
	} {
		step()
		asked()
	}
	if !bytes.Equal(client.trust.bundle, []byte(successor.bundle)) {
		t.Error("the old authority is still trusted")
	}
}

// What an authority has vouched for ends with it: connections that nobody uses, and a request that is held.
func TestRevokedAuthorityIsTrustedNoMore(t *testing.T) {
	t.Parallel()
	revoked, successor := newAuthority(t), newAuthority(t)
	held, ended := make(chan struct{}), make(chan struct{})
	issuer := newIssuerOf(t, revoked, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			close(held)
			<-r.Context().Done()
			close(ended)
			return
		}
		grantsAndTokens(w, r)
	})
	volume := newVolume(t)
	volume.write(t, revoked.bundle)
	client := issuer.clientTrusting(t, revoked.bundle, volume, nil)
	answer := make(chan error, 1)
	go func() {
		grant, err := client.Grant(t.Context(), "r1")
		if grant != nil {
			err = errors.New("there is a grant")
		}
		answer <- err
	}()
	<-held
	if _, err := client.Token(t.Context(), request); err != nil {
		t.Fatal(err)
	}

	volume.write(t, successor.bundle)
	if _, err := client.Token(t.Context(), request); !errors.Is(err, errNotTrusted) {
		t.Errorf("asked over what the revoked authority vouched for, it says %v", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the request that was held goes on")
	}
	if err := <-answer; err != nil {
		t.Errorf("the watch is told of a failure: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); issuer.open.Load() > 0; awaitABit(t) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections stay", issuer.open.Load())
		}
	}
	issuer.serveBy(t, successor)
	if _, err := client.Token(t.Context(), request); err != nil {
		t.Error("by the new authority:", err)
	}
}

// The file counts more than what the pod was made with.
func TestFileIsBelieved(t *testing.T) {
	t.Parallel()
	signer, other := newAuthority(t), newAuthority(t)
	issuer := newIssuerOf(t, signer, grantsAndTokens)
	for name, test := range map[string]struct {
		environment, file string
		trusted           bool
	}{
		"there is none":                {signer.bundle, "", true},
		"there is none, and no signer": {other.bundle, "", false},
		"it brings the signer":         {other.bundle, signer.bundle, true},
		"it is without the signer":     {signer.bundle, other.bundle, false},
		"it has both":                  {other.bundle, other.bundle + signer.bundle, true},
		"it has something else too":    {other.bundle, "# made by hand\n" + signer.bundle + "garbage", true},
		"it is garbage":                {signer.bundle, "garbage", true},
		"it is as large as may be":     {other.bundle, padded(signer.bundle, maxBundleBytes), true},
		"it is larger":                 {other.bundle, padded(signer.bundle, maxBundleBytes+1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := newVolume(t)
			if test.file != "" {
				volume.write(t, test.file)
			}
			_, err := issuer.clientTrusting(t, test.environment, volume, nil).Token(t.Context(), request)
			if trusted := err == nil; trusted != test.trusted || err != nil && !errors.Is(err, errNotTrusted) {
				t.Errorf("trusted: %t, %v", trusted, err)
			}
		})
	}
}

// What was good once is kept while the file is no good, and that is told once.
func TestNoGoodFileChangesNothing(t *testing.T) {
	t.Parallel()
	made, now := newAuthority(t), newAuthority(t)
	issuer := newIssuerOf(t, now, grantsAndTokens)
	for name, spoil := range map[string]func(*testing.T, volume){
		"garbage":   func(t *testing.T, v volume) { v.write(t, "garbage") },
		"empty":     func(t *testing.T, v volume) { v.write(t, "") },
		"too large": func(t *testing.T, v volume) { v.write(t, padded(made.bundle, maxBundleBytes+1)) },
		"gone":      func(t *testing.T, v volume) { v.clear(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := newVolume(t)
			var log bytes.Buffer
			client := issuer.clientTrusting(t, made.bundle, volume, slog.New(slog.NewTextHandler(&log, nil)))
			ask := func() {
				t.Helper()
				for range 3 {
					if _, err := client.Token(t.Context(), request); err != nil {
						t.Error(err)
					}
				}
			}
			volume.write(t, now.bundle)
			ask()
			spoil(t, volume)
			ask()
			if got := strings.Count(log.String(), "is no good"); got != 1 {
				t.Errorf("it is told %d times:\n%s", got, log.String())
			}
			volume.write(t, made.bundle)
			if _, err := client.Token(t.Context(), request); !errors.Is(err, errNotTrusted) {
				t.Errorf("a file that is good again is not read: %v", err)
			}
		})
	}
}

// The kubelet writes the whole volume anew when it renews the token. What is in it as before costs no connection.
func TestSameAuthoritiesKeepConnections(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	seen := map[string]bool{}
	issuer := newIssuerOf(t, authority, func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true
		grantsAndTokens(w, r)
	})
	volume := newVolume(t)
	client := issuer.clientTrusting(t, authority.bundle, volume, nil)
	for range 3 {
		volume.write(t, authority.bundle)
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d connections were made", len(seen))
	}
}

func grantsAndTokens(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == issuerapi.GrantPath {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, `{"access_token":"a.b.c"}`)
}

// padded is a bundle of so many bytes.
func padded(bundle string, size int) string {
	return bundle + strings.Repeat("#", size-len(bundle))
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// awaitABit lets others go on, as long as the test may run.
func awaitABit(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal("nobody is answered")
	case <-time.After(time.Millisecond):
	}
}
