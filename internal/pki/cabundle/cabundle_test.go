package cabundle

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestParseReadsWhatPEMWrote(t *testing.T) {
	t.Parallel()
	bundle := Bundle{newAuthority(t).certificate, newAuthority(t).certificate}
	read, err := Parse(bundle.PEM())
	if err != nil || len(read) != 2 || !read[0].Equal(bundle[0]) || !read[1].Equal(bundle[1]) {
		t.Errorf("got %d certificates, error %v", len(read), err)
	}
	for _, text := range []string{"", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if bundle, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q: got %d certificates", text, len(bundle))
		}
	}
	if read, err := Parse(bytes.Repeat(bundle.PEM(), maxCertificates)); err != nil || len(read) != maxCertificates {
		t.Errorf("huge bundle: got %d certificates, error %v", len(read), err)
	}
}

func TestSignerOfALeaf(t *testing.T) {
	t.Parallel()
	current, retired, other := newAuthority(t), newAuthority(t), newAuthority(t)
	bundle := Bundle{current.certificate, retired.certificate}
	for name, test := range map[string]struct {
		by   authority
		want int
	}{
		"current": {current, 0}, "retired": {retired, 1}, "unknown": {other, -1},
	} {
		if rank := bundle.SignerOf(test.by.sign(t)); rank != test.want {
			t.Errorf("%s: index = %d, want %d", name, rank, test.want)
		}
	}
}

func TestCertificatesAreServedByKeyID(t *testing.T) {
	t.Parallel()
	latest := &Latest{}
	handler := Handler(latest.Bundle)
	one, other := newAuthority(t).certificate, newAuthority(t).certificate
	if got := get(handler, CertificatePath(one)); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || latest.Ready() {
		t.Errorf("before there is a certificate: got %d %s", got.Code, got.Body)
	}
	latest.Update(map[string]string{Key: string(Bundle{one, other}.PEM())})
	for _, gone := range []map[string]string{{}, {Key: "garbage"}, nil} {
		latest.Update(gone)
	}
	for _, certificate := range []*x509.Certificate{one, other} {
		got := get(handler, CertificatePath(certificate))
		if got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), certificate.Raw) || got.Header().Get("Content-Type") != "application/pkix-cert" {
			t.Errorf("%s: status = %d", KeyID(certificate), got.Code)
		}
	}
	for _, path := range []string{
		"/", "/ca.cer", "/ca/", "/ca/.cer", "/metrics", strings.TrimSuffix(CertificatePath(one), ".cer"), CertificatePath(newAuthority(t).certificate),
	} {
		if got := get(handler, path); got.Code != http.StatusNotFound {
			t.Errorf("%s: status = %d", path, got.Code)
		}
	}
}

func TestChangedIsClosedByAChange(t *testing.T) {
	t.Parallel()
	latest := &Latest{}
	first, second := Bundle{newAuthority(t).certificate}, Bundle{newAuthority(t).certificate}
	changed := latest.Changed()
	latest.Set(first)
	select {
	case <-changed:
	default:
		t.Error("the first bundle is not reported")
	}
	changed = latest.Changed()
	latest.Set(Bundle{first[0]})
	select {
	case <-changed:
		t.Error("the same bundle is reported as a change")
	default:
	}
	latest.Set(append(second, first...))
	select {
	case <-changed:
	default:
		t.Error("another bundle is not reported")
	}
	for _, authority := range append(first, second...) {
		if _, err := authority.Verify(x509.VerifyOptions{Roots: latest.Pool()}); err != nil {
			t.Errorf("an authority of the bundle is not trusted: %v", err)
		}
	}
}

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

// authority signs leaves.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return authority{make509(t, template, template, key, key), key}
}

func (a authority) sign(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return make509(t, &x509.Certificate{DNSNames: []string{"leaf"}}, a.certificate, key, a.key)
}

func make509(t *testing.T, template, parent *x509.Certificate, key, signing *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signing)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
