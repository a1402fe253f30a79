package trustfiles

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSubjectHashIsOpenSSLs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip(err)
	}
	key, template := newLeaf(t)
	template.NotBefore, template.NotAfter = time.Now(), time.Now().Add(time.Hour)
	for _, subject := range []pkix.Name{
		{CommonName: "kube-imds 0123456789abcdef"}, {CommonName: "Kube-IMDS"}, {CommonName: "  two  blanks "}, {CommonName: "Grüße"},
		{CommonName: "a", Organization: []string{"One", "Two"}, Country: []string{"DE"}},
		{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "SERIAL 1"}}},
	} {
		template.Subject = subject
		made := sign(t, template, template, key.Public(), key)
		command := exec.CommandContext(t.Context(), "openssl", "x509", "-noout", "-subject_hash")
		command.Stdin = strings.NewReader(string(encode(made)))
		want, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := subjectHash(made); err != nil || got != strings.TrimSpace(string(want)) {
			t.Errorf("%s: got %s, want %s, error %v", subject, got, want, err)
		}
	}
	if hash, err := subjectHash(&x509.Certificate{RawSubject: []byte("garbage")}); err == nil {
		t.Errorf("garbage: %s", hash)
	}
}
