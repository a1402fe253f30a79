package issuerclient

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// The authority is rotated in its steps while a pod sends requests without pause: none fails.
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

// When an authority is revoked, connections to its servers end: idle ones and those with a held request.
func TestRevokedAuthorityIsNoLongerTrusted(t *testing.T) {
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
		t.Errorf("got error %v over a connection of the revoked authority", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the held request goes on")
	}
	if err := <-answer; err != nil {
		t.Errorf("the watch reports a failure: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); issuer.open.Load() > 0; awaitABit(t) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections remain", issuer.open.Load())
		}
	}
	issuer.serveBy(t, successor)
	if _, err := client.Token(t.Context(), request); err != nil {
		t.Error("by the new authority:", err)
	}
}

// The file takes precedence over the certificates in the environment.
func TestFileTakesPrecedence(t *testing.T) {
	t.Parallel()
	signer, other := newAuthority(t), newAuthority(t)
	issuer := newIssuerOf(t, signer, grantsAndTokens)
	for name, test := range map[string]struct {
		environment, file string
		trusted           bool
	}{
		"no file":                {signer.bundle, "", true},
		"no file, no signer":     {other.bundle, "", false},
		"signer in the file":     {other.bundle, signer.bundle, true},
		"signer not in the file": {signer.bundle, other.bundle, false},
		"both in the file":       {other.bundle, other.bundle + signer.bundle, true},
		"other text in the file": {other.bundle, "# made by hand\n" + signer.bundle + "garbage", true},
		"garbage":                {signer.bundle, "garbage", true},
		"largest file":           {other.bundle, padded(signer.bundle, maxBundleBytes), true},
		"file too large":         {other.bundle, padded(signer.bundle, maxBundleBytes+1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := newVolume(t)
			if test.file != "" {
				volume.write(t, test.file)
			}
			_, err := issuer.clientTrusting(t, test.environment, volume, nil).Token(t.Context(), request)
			if trusted := err == nil; trusted != test.trusted || err != nil && !errors.Is(err, errNotTrusted) {
				t.Errorf("trusted: %t, error %v", trusted, err)
			}
		})
	}
}

// The last valid bundle is kept while the file is invalid, which is logged once.
func TestInvalidFileChangesNothing(t *testing.T) {
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
				t.Errorf("logged %d times:\n%s", got, log.String())
			}
			volume.write(t, made.bundle)
			if _, err := client.Token(t.Context(), request); !errors.Is(err, errNotTrusted) {
				t.Errorf("a valid file is not read again: %v", err)
			}
		})
	}
}

// The kubelet replaces the whole volume when it renews the token. Unchanged certificates must not cost connections.
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

// padded returns a bundle of so many bytes.
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

// awaitABit yields, until the test's deadline.
func awaitABit(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal("no request is answered")
	case <-time.After(time.Millisecond):
	}
}

// authority signs certificates that clients with its bundle trust.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	bundle      string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// sign makes a certificate for loopback.
func (a authority) sign(t *testing.T) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certifiedIssuer is an issuer whose certificate a test can replace.
type certifiedIssuer struct {
	*httptest.Server
	certificate atomic.Pointer[tls.Certificate]
	tokenFile   string

	// open counts open connections.
	open atomic.Int64
}

func newIssuerOf(t *testing.T, authority authority, answer http.HandlerFunc) *certifiedIssuer {
	t.Helper()
	issuer := &certifiedIssuer{Server: httptest.NewUnstartedServer(answer), tokenFile: filepath.Join(t.TempDir(), "token")}
	writeFile(t, issuer.tokenFile, "token")
	issuer.serveBy(t, authority)
	issuer.Config.ErrorLog = log.New(io.Discard, "", 0)
	issuer.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			issuer.open.Add(1)
		case http.StateClosed:
			issuer.open.Add(-1)
		}
	}
	issuer.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*issuer.certificate.Load()}}, nil
	}}
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	return issuer
}

// serveBy gives the issuer a certificate of an authority. Open connections remain.
func (i *certifiedIssuer) serveBy(t *testing.T, authority authority) {
	t.Helper()
	i.certificate.Store(authority.sign(t))
}

// clientTrusting returns a client of a pod with a bundle in its environment and a volume.
func (i *certifiedIssuer) clientTrusting(t *testing.T, bundle string, volume volume, logger *slog.Logger) *Client {
	t.Helper()
	client, err := New(Options{URL: i.URL, CA: bundle, CAFile: volume.file(), TokenFile: i.tokenFile, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.connections().http.CloseIdleConnections() })
	return client
}

// volume is written as by the kubelet: a link to a folder, which is replaced as a whole.
type volume struct {
	folder  string
	written *int
}

func newVolume(t *testing.T) volume {
	t.Helper()
	v := volume{t.TempDir(), new(0)}
	if err := os.Symlink("..data/ca.crt", v.file()); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v volume) file() string { return filepath.Join(v.folder, "ca.crt") }

func (v volume) write(t *testing.T, content string) {
	t.Helper()
	v.replace(t, func(folder string) { writeFile(t, filepath.Join(folder, "ca.crt"), content) })
}

func (v volume) clear(t *testing.T) {
	t.Helper()
	v.replace(t, func(string) {})
}

func (v volume) replace(t *testing.T, fill func(folder string)) {
	t.Helper()
	*v.written++
	name := "..version-" + strconv.Itoa(*v.written)
	link := filepath.Join(v.folder, "..data_tmp")
	if err := os.Mkdir(filepath.Join(v.folder, name), 0o700); err != nil {
		t.Fatal(err)
	}
	fill(filepath.Join(v.folder, name))
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(v.folder, "..data")); err != nil {
		t.Fatal(err)
	}
}
