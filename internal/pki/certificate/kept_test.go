package certificate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

var names = []string{"kube-imds-issuer.imds.svc", "node-1.kube-imds-issuer.imds.svc"}

// world is an authority and a certificate that is kept.
type world struct {
	*testing.T
	kept    *Kept
	signing *authority
	known   *cabundle.Latest
	names   []string
	now     time.Time
	refusal error
	asked   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, known: &cabundle.Latest{}, names: names, now: time.Now()}
	w.signing = newAuthority(t, w.now)
	w.known.Set(cabundle.Bundle{w.signing.certificate})
	w.kept = Keep(Wanted{
		Names:  func(context.Context) ([]string, error) { return w.names, nil },
		NewKey: NewECDSA, Issue: w.issue, Authorities: w.known,
	}, logr.Discard())
	w.kept.now = func() time.Time { return w.now }
	return w
}

func (w *world) issue(_ context.Context, request *x509.CertificateRequest, _ crypto.Signer) ([]byte, error) {
	w.asked++
	if w.refusal != nil {
		return nil, w.refusal
	}
	leaf := w.signing.sign(w.T, &x509.Certificate{
		Subject: request.Subject, DNSNames: request.DNSNames, NotBefore: w.now, NotAfter: w.now.Add(Lifetime),
	}, request.PublicKey)
	return cabundle.Bundle{leaf}.PEM(), nil
}

// look checks the certificate once, and checks the number of requests until then.
func (w *world) look(asked int) time.Duration {
	w.Helper()
	before := w.asked
	pause := w.kept.look(w.Context())
	if got := w.asked - before; got != asked {
		w.Fatalf("the authority got %d requests, want %d", got, asked)
	}
	return pause
}

func (w *world) after(wait time.Duration) *world {
	w.now = w.now.Add(wait)
	return w
}

func TestCertificateIsRenewedInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.kept.Ready() {
		t.Error("there is a certificate before the first request")
	}
	if pair, err := w.kept.GetCertificate(nil); pair != nil || err == nil {
		t.Errorf("certificate = %v, error %v", pair, err)
	}
	w.look(1)
	first := w.kept.Current()
	if first == nil || first.Leaf.Subject.CommonName != names[0] || first.Leaf.VerifyHostname(names[1]) != nil {
		t.Fatalf("certificate = %+v", first)
	}
	w.look(0)
	w.after(Lifetime / 2).look(0)
	w.after(Lifetime / 6).look(1)
	if got, err := w.kept.GetCertificate(nil); err != nil || got == first {
		t.Errorf("the certificate is still the first one, error %v", err)
	}
}

func TestNoRequestBeforeThereIsAnAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.kept.wanted.Authorities = &cabundle.Latest{}
	w.look(0)
	w.kept.wanted.Authorities.Set(w.known.Bundle())
	w.look(1)
}

func TestExpiredCertificateIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(1)
	w.refusal = errors.New("denied")
	w.after(Lifetime - time.Second).look(1)
	if !w.kept.Ready() {
		t.Error("a valid certificate is not used")
	}
	w.after(time.Second).look(1)
	if _, err := w.kept.GetCertificate(nil); err == nil || w.kept.Ready() || w.kept.Current() != nil {
		t.Error("an expired certificate is used")
	}
}

func TestOtherNamesAreRequestedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(1)
	w.names = names[:1]
	w.look(1)
	w.look(0)
}

func TestDeniedRequestsBackOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refusal = errors.New("denied")
	var waited time.Duration
	for range 12 {
		waited += w.look(1)
	}
	if waited < time.Hour/2 {
		t.Errorf("twelve requests took %s", waited)
	}
	if pause := w.look(1); pause < failing.Cap || pause > 2*failing.Cap {
		t.Errorf("next request in %s", pause)
	}
	w.refusal = nil
	w.look(1)
	w.look(0)
	w.names, w.refusal = names[:1], errors.New("denied")
	if pause := w.look(1); pause > 2*failing.Duration {
		t.Errorf("wait after the first failure since a success = %s", pause)
	}
}

// After a rotation of the authority all processes renew, spread over time but soon enough.
func TestRenewalsAfterARotationAreSpread(t *testing.T) {
	t.Parallel()
	turns := map[time.Duration]int{}
	for range 20 {
		w := newWorld(t)
		w.look(1)
		before := w.signing
		w.signing = newAuthority(t, w.now)
		w.known.Set(cabundle.Bundle{w.signing.certificate, before.certificate})
		turn := w.look(0)
		for w.asked == 1 {
			if w.now.Sub(before.certificate.NotBefore) > spread+time.Minute {
				t.Fatal("no renewal was requested")
			}
			w.after(turn)
			turn = w.kept.look(t.Context())
		}
		turns[w.now.Sub(before.certificate.NotBefore).Truncate(time.Minute)]++
		w.look(0)
		if w.kept.Current().Leaf.CheckSignatureFrom(w.signing.certificate) != nil {
			t.Error("the certificate is not of the new authority")
		}
	}
	if len(turns) < 4 {
		t.Errorf("20 processes renew in %d different minutes: %v", len(turns), turns)
	}
}

func TestCertificateOfAGoneAuthorityIsRenewedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(1)
	w.signing = newAuthority(t, w.now)
	w.known.Set(cabundle.Bundle{w.signing.certificate})
	w.look(1)
	w.look(0)
}

// A process whose bundle is older than its certificate must not request without end.
func TestCertificateNewerThanTheBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signing = newAuthority(t, w.now)
	var waited time.Duration
	for range 5 {
		waited += w.look(1)
	}
	if waited < 20*time.Second {
		t.Errorf("five requests took %s", waited)
	}
}

func TestChangeOfAuthorityWakesTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kept.now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.kept.Start(ctx) }()
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := time.Now()
		w.now = before
		w.signing = newAuthority(t, before)
		w.known.Set(cabundle.Bundle{w.signing.certificate})
		synctest.Wait()
		if w.asked != 2 || !time.Now().Equal(before) {
			t.Errorf("%d requests, %s later", w.asked, time.Since(before))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestInvalidCertificateIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(1)
	kept := w.kept.Current()
	other, err := NewECDSA()
	if err != nil {
		t.Fatal(err)
	}
	for name, issued := range map[string][]byte{
		"nothing": nil, "garbage": []byte("garbage"),
		"certificate of another key": cabundle.Bundle{w.signing.sign(t, &x509.Certificate{NotAfter: w.now.Add(time.Hour)}, other.Public())}.PEM(),
	} {
		key, err := NewECDSA()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.kept.hold(issued, key); err == nil || w.kept.Current() != kept {
			t.Errorf("%s is accepted: %v", name, err)
		}
	}
}

// authority signs leaves.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, now time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &authority{key: key}
	made.certificate = &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: now, NotAfter: now.Add(100 * Lifetime),
	}
	made.certificate = made.sign(t, made.certificate, key.Public())
	return made
}

func (a *authority) sign(t *testing.T, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A certificate whose last name is gone is dropped, and there is one again at once when there is a name.
func TestNoNamesNeedNoCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.names = nil
	w.kept.wanted.LookEvery = time.Second
	if pause := w.look(0); pause != time.Second || w.kept.Ready() {
		t.Errorf("looks again after %s, ready: %t", pause, w.kept.Ready())
	}
	w.names = names
	w.look(1)
	if pause := w.look(0); pause != time.Second || !w.kept.Ready() {
		t.Errorf("looks again after %s, ready: %t", pause, w.kept.Ready())
	}
	w.names = nil
	if w.look(0); w.kept.Ready() {
		t.Error("the certificate stays")
	}
}
