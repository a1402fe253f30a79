package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// everything is a policy that says everything that a certificate can have of one.
const everything = `{"key_props":{"kty":"EC","crv":"P-384"},"x509_props":{"subject":"CN=orders, O=\"Contoso, Inc.\", C=US",
	"sans":{"dns_names":["orders.example","*.example.com"],"emails":["orders@example.com"],"upns":["örders@contoso.com"],
		"uris":["spiffe://example/orders"],"ipAddresses":["10.0.0.1","::1"]},
	"ekus":["1.3.6.1.5.5.7.3.1","1.2.3.4"],"key_usage":["digitalSignature","keyCertSign","decipherOnly"],"validity_months":3}}`

func newKey(t *testing.T, policy *Policy) crypto.Signer {
	t.Helper()
	key, err := policy.NextKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	policy := newPolicy(t, everything)
	if err := policy.Validate(); err != nil {
		t.Fatal(err)
	}
	pair, err := policy.SelfSigned(newKey(t, policy), noon.Add(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	leaf := pair.Leaf()
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, at := range []time.Time{noon.Add(-10 * time.Minute), time.Date(2027, 2, 27, 12, 0, 0, 0, time.UTC)} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "any.example.com", CurrentTime: at}); err != nil {
			t.Error(err)
		}
	}
	if from, to := Validity(leaf); from != noon.Unix()-600 || to != time.Date(2027, 2, 27, 12, 0, 0, 0, time.UTC).Unix() {
		t.Errorf("valid from %d to %d", from, to)
	}
	if err := leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		t.Error(err)
	}
	if leaf.Version != 3 || leaf.SerialNumber.Sign() <= 0 || leaf.SerialNumber.BitLen() > 128 || leaf.SerialNumber.BitLen() < 64 {
		t.Errorf("version %d, serial number %s", leaf.Version, leaf.SerialNumber)
	}
	if leaf.PublicKey.(*ecdsa.PublicKey).Curve != elliptic.P384() || len(leaf.SubjectKeyId) != 20 || string(leaf.SubjectKeyId) != string(leaf.AuthorityKeyId) {
		t.Errorf("key %v with identifiers %x and %x", leaf.PublicKey, leaf.SubjectKeyId, leaf.AuthorityKeyId)
	}
	if leaf.IsCA || !leaf.BasicConstraintsValid || leaf.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign|x509.KeyUsageDecipherOnly {
		t.Errorf("CA %v, usage %b", leaf.IsCA, leaf.KeyUsage)
	}
	if leaf.Subject.CommonName != "orders" || !slices.Equal(leaf.Subject.Organization, []string{"Contoso, Inc."}) || leaf.Issuer.String() != leaf.Subject.String() {
		t.Errorf("subject %s, issuer %s", leaf.Subject, leaf.Issuer)
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		t.Errorf("unhandled %v", leaf.UnhandledCriticalExtensions)
	}

	// The policy of the certificate is the one that it was made by.
	again, err := ImportedPolicy(pair, PKCS12, &Policy{Issuer: Issuer{Name: Self}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy, again); diff != "" {
		t.Error(diff)
	}
}

func TestKeysOfEveryType(t *testing.T) {
	t.Parallel()
	for _, content := range []string{`{}`, `{"key_size":3072}`, `{"key_size":4096}`, `{"kty":"EC"}`, `{"crv":"P-384"}`, `{"crv":"P-521"}`} {
		policy := newPolicy(t, `{"x509_props":{"subject":"CN=a"},"key_props":`+content+`}`)
		pair, err := policy.SelfSigned(newKey(t, policy), noon)
		if err != nil {
			t.Errorf("%s: %v", content, err)
			continue
		}
		again, err := ImportedPolicy(pair, PKCS12, &Policy{Issuer: Issuer{Name: Self}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(policy, again); diff != "" {
			t.Errorf("%s: %s", content, diff)
		}
	}
}

func TestKeyIsReusedIfThePolicySaysSo(t *testing.T) {
	t.Parallel()
	reusing := newPolicy(t, `{"key_props":{"crv":"P-256","reuse_key":true}}`)
	key := newKey(t, reusing)
	for content, want := range map[string]bool{
		`{"key_props":{"crv":"P-256","reuse_key":true}}`: true,
		`{"key_props":{"crv":"P-256"}}`:                  false,
		`{"key_props":{"crv":"P-384","reuse_key":true}}`: false,
	} {
		policy := newPolicy(t, content)
		next, err := policy.NextKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if reused := next == key; reused != want || !policy.Key.isOf(next) {
			t.Errorf("%s: reused %v, key %T", content, reused, next)
		}
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	t.Parallel()
	policy := newPolicy(t, `{"key_props":{"kty":"EC"},"x509_props":{"subject":"CN=a"}}`)
	key := newKey(t, policy)
	one, err := policy.SelfSigned(key, noon)
	if err != nil {
		t.Fatal(err)
	}
	two, err := policy.SelfSigned(key, noon)
	if err != nil {
		t.Fatal(err)
	}
	if one.Leaf().SerialNumber.Cmp(two.Leaf().SerialNumber) == 0 || Thumbprint(one.Leaf()) == Thumbprint(two.Leaf()) {
		t.Error("two certificates have the same serial number")
	}
}

// A certificate without a subject has critical alternative names (RFC 5280 section 4.2.1.6), and one of an authority critical constraints.
func TestCriticalExtensions(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][]asn1.ObjectIdentifier{
		`{"subject":"CN=a","sans":{"dns_names":["a"]}}`:         {oidKeyUsage},
		`{"subject":" ","sans":{"dns_names":["a"]}}`:            {oidKeyUsage, oidAlternativeNames},
		`{"subject":"CN=a","basic_constraints":{"ca":true}}`:    {oidKeyUsage, oidBasicConstraints},
		`{"subject":"CN=a","sans":{},"key_usage":[],"ekus":[]}`: nil,
	} {
		policy := newPolicy(t, `{"key_props":{"kty":"EC"},"x509_props":`+content+`}`)
		if err := policy.Validate(); err != nil {
			t.Fatal(err)
		}
		pair, err := policy.SelfSigned(newKey(t, policy), noon)
		if err != nil {
			t.Fatal(err)
		}
		var critical []asn1.ObjectIdentifier
		for _, one := range pair.Leaf().Extensions {
			if one.Critical {
				critical = append(critical, one.Id)
			}
		}
		if diff := cmp.Diff(want, critical); diff != "" {
			t.Errorf("%s: %s", content, diff)
		}
		if wantCA := policy.X509.isCA(); pair.Leaf().IsCA != wantCA {
			t.Errorf("%s: CA %v", content, pair.Leaf().IsCA)
		}
	}
}

func TestMonthsEndWithTheMonth(t *testing.T) {
	t.Parallel()
	day := func(text string) time.Time {
		t.Helper()
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, one := range []struct {
		from   string
		months int
		want   string
	}{{"2026-11-27", 12, "2027-11-27"}, {"2026-01-31", 1, "2026-02-28"}, {"2024-02-29", 12, "2025-02-28"}, {"2026-10-31", 13, "2027-11-30"}, {"2026-12-31", 1200, "2126-12-31"}} {
		if got := addMonths(day(one.from), one.months); !got.Equal(day(one.want)) {
			t.Errorf("%d months after %s is %s", one.months, one.from, got)
		}
	}
}

func parseRequest(content []byte) (*x509.CertificateRequest, error) {
	request, err := x509.ParseCertificateRequest(content)
	if err != nil {
		return nil, err
	}
	return request, request.CheckSignature()
}

// authority signs what is asked for, as a caller's authority does.
func authority(t *testing.T, request *x509.CertificateRequest) (leaf, root []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "An authority"}, NotBefore: noon, NotAfter: noon.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	if root, err = x509.CreateCertificate(rand.Reader, issuer, issuer, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), RawSubject: request.RawSubject, ExtraExtensions: request.Extensions, NotBefore: noon, NotAfter: noon.Add(time.Hour)}
	if leaf, err = x509.CreateCertificate(rand.Reader, template, issuer, request.PublicKey, key); err != nil {
		t.Fatal(err)
	}
	return leaf, root
}

func TestRequestIsMerged(t *testing.T) {
	t.Parallel()
	policy := newPolicy(t, everything)
	key := newKey(t, policy)
	content, err := policy.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := parseRequest(content)
	if err != nil {
		t.Fatal(err)
	}
	leaf, root := authority(t, request)
	for what, answer := range map[string][][]byte{"leaf first": {leaf, root}, "leaf last": {root, leaf}} {
		pair, err := Merge(key, answer)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if string(pair.Leaf().Raw) != string(leaf) || len(pair.Chain) != 2 || string(pair.Chain[1].Raw) != string(root) || pair.Key != key {
			t.Errorf("%s: got %v", what, pair.Chain)
		}
		got, err := ImportedPolicy(pair, PKCS12, policy)
		if err != nil {
			t.Fatal(err)
		}
		got.X509.ValidityMonths = policy.X509.ValidityMonths // the authority decides
		if diff := cmp.Diff(policy, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}

	other := newKey(t, policy)
	for what, one := range map[string]struct {
		key    crypto.Signer
		answer [][]byte
		want   Reason
	}{
		"another key":          {other, [][]byte{leaf, root}, KeyMismatch},
		"no leaf":              {key, [][]byte{root}, KeyMismatch},
		"nothing":              {key, nil, NoCertificate},
		"PEM":                  {key, [][]byte{[]byte("-----BEGIN CERTIFICATE-----")}, Malformed},
		"something behind":     {key, [][]byte{append(slices.Clone(leaf), 0)}, Malformed},
		"a large certificate":  {key, [][]byte{make([]byte, maxCertificate+1)}, TooLarge},
		"too many of them":     {key, slices.Repeat([][]byte{leaf}, maxChain+1), TooLarge},
		"a key of another API": {unsupported(t), [][]byte{leaf}, UnsupportedKey},
	} {
		if pair, err := Merge(one.key, one.answer); !isRefused(err, one.want) {
			t.Errorf("%s: got %v, error %v", what, pair, err)
		}
	}
}

// unsupported returns a key that is too small.
func unsupported(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOtherNamesOfOtherTypesArePassedOver(t *testing.T) {
	t.Parallel()
	var all []asn1.RawValue
	for _, one := range []otherName{{oidData, "something else"}, {oidUPN, "orders@contoso.com"}} {
		content, err := asn1.MarshalWithParams(one, "tag:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, asn1.RawValue{FullBytes: content})
	}
	if got := principalNames(marshal(t, all)); !slices.Equal(got, []string{"orders@contoso.com"}) {
		t.Errorf("got %q", got)
	}
}

func TestChainIsOrdered(t *testing.T) {
	t.Parallel()
	name := func(subject, issuer string) *x509.Certificate {
		return &x509.Certificate{RawSubject: []byte(subject), RawIssuer: []byte(issuer)}
	}
	leaf, middle, root, stray := name("leaf", "middle"), name("middle", "root"), name("root", "root"), name("stray", "leaf")
	got := ordered(leaf, []*x509.Certificate{root, stray, middle})
	if !slices.Equal(got, []*x509.Certificate{leaf, middle, root, stray}) {
		t.Errorf("got %v", got)
	}
}
