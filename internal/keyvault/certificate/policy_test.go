package certificate

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Azure answers for the policy that its SDK for JavaScript sends, as recorded in the SDK's repository, without the ID and times.
const (
	sentPolicy     = `{"key_props":{},"secret_props":{},"x509_props":{"subject":"cn=MyCert","sans":{}},"issuer":{"name":"Self"},"attributes":{}}`
	answeredPolicy = `{"key_props":{"exportable":true,"kty":"RSA","key_size":2048,"reuse_key":false},` +
		`"secret_props":{"contentType":"application/x-pkcs12"},` +
		`"x509_props":{"subject":"cn=MyCert","ekus":["1.3.6.1.5.5.7.3.1","1.3.6.1.5.5.7.3.2"],` +
		`"key_usage":["digitalSignature","keyEncipherment"],"validity_months":12,"basic_constraints":{"ca":false}},` +
		`"lifetime_actions":[{"trigger":{"lifetime_percentage":80},"action":{"action_type":"AutoRenew"}}],` +
		`"issuer":{"name":"Self"},"attributes":{"enabled":true}}`
)

// newPolicy returns a policy with its defaults.
func newPolicy(t *testing.T, content string) *Policy {
	t.Helper()
	var policy Policy
	if err := json.Unmarshal([]byte(content), &policy); err != nil {
		t.Fatal(err)
	}
	policy.SetDefaults()
	return &policy
}

func TestDefaultsAreAzures(t *testing.T) {
	t.Parallel()
	policy := newPolicy(t, sentPolicy)
	got, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answeredPolicy, string(got)); diff != "" {
		t.Error(diff)
	}
	if err := policy.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsFollowWhatIsSaid(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{"kty":"EC"}`:                               "EC P-256 256",
		`{"crv":"P-384"}`:                            "EC P-384 384",
		`{"kty":"EC","key_size":521}`:                "EC P-521 521",
		`{"key_size":4096}`:                          "RSA  4096",
		`{"kty":null,"crv":null,"exportable":null}`:  "RSA  2048",
		`{"kty":"EC","crv":"P-256","key_size":256}`:  "EC P-256 256",
		`{"kty":"RSA-HSM"}`:                          "RSA-HSM  0",
		`{"kty":"EC","crv":"P-256K"}`:                "EC P-256K 0",
		`{"kty":"EC","crv":"P-256","key_size":2048}`: "EC P-256 2048",
	} {
		key := newPolicy(t, `{"key_props":`+content+`}`).Key
		if got := key.Type + " " + key.Curve + " " + strconv.Itoa(key.Size); got != want {
			t.Errorf("%s: got %s, want %s", content, got, want)
		}
	}
	if usage := newPolicy(t, `{"key_props":{"kty":"EC"}}`).X509.KeyUsage; !slices.Equal(usage, []string{"digitalSignature"}) {
		t.Errorf("an EC key is for %v", usage)
	}
	policy := newPolicy(t, `{"key_props":{"kty":"EC","exportable":false,"reuse_key":true},"issuer":{"name":"Unknown"},"x509_props":{"ekus":[],"key_usage":[]}}`)
	content, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	policy = newPolicy(t, string(content)) // as it is kept
	if *policy.Key.Exportable || !*policy.Key.ReuseKey || policy.LifetimeActions[0].Action.Type != EmailContacts ||
		len(policy.X509.EKUs) != 0 || len(policy.X509.KeyUsage) != 0 {
		t.Errorf("got %+v", policy)
	}
}

func TestKeyOperationsFollowKeyUsage(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{}`:                         "sign verify wrapKey unwrapKey",
		`{"key_props":{"kty":"EC"}}`: "sign verify",
		`{"x509_props":{"key_usage":["dataEncipherment","decipherOnly","cRLSign"]}}`:                 "encrypt decrypt sign verify",
		`{"key_props":{"kty":"EC"},"x509_props":{"key_usage":["keyEncipherment","nonRepudiation"]}}`: "sign verify",
		`{"x509_props":{"key_usage":["keyAgreement"]}}`:                                              "",
	} {
		if got := strings.Join(newPolicy(t, content).KeyOperations(), " "); got != want {
			t.Errorf("%s: got %s, want %s", content, got, want)
		}
	}
}

func TestUpdateKeepsWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	policy := newPolicy(t, `{"id":"an-id","x509_props":{"subject":"CN=a","ekus":["1.2.3","1.2.4"],"sans":{"dns_names":["a.example"]}}}`)
	var changes Policy
	if err := json.Unmarshal([]byte(`{"key_props":{"kty":"EC","exportable":false},"x509_props":{"ekus":["1.2.5"],"validity_months":3}}`), &changes); err != nil {
		t.Fatal(err)
	}
	updated, err := policy.Updated(&changes)
	if err != nil {
		t.Fatal(err)
	}
	updated.SetDefaults()
	if err := updated.Validate(); err != nil {
		t.Error(err)
	}
	want := newPolicy(t, `{"id":"an-id","key_props":{"kty":"EC","exportable":false},
		"x509_props":{"subject":"CN=a","ekus":["1.2.5"],"sans":{"dns_names":["a.example"]},"validity_months":3,"key_usage":["digitalSignature","keyEncipherment"]}}`)
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(policy.X509.EKUs, []string{"1.2.3", "1.2.4"}) || policy.Key.Type != RSA {
		t.Errorf("the policy before is now %+v", policy)
	}
}

func TestBadPoliciesAreRefused(t *testing.T) {
	t.Parallel()
	repeated := func(text string, count int) string { return `["` + strings.Repeat(text+`","`, count-1) + text + `"]` }
	action := func(text string) string {
		return `{"x509_props":{"subject":"CN=a","validity_months":2},"lifetime_actions":[` + text + `]}`
	}
	x509 := func(text string) string { return `{"x509_props":{"subject":"CN=a",` + text + `}}` }
	key := func(text string) string { return `{"x509_props":{"subject":"CN=a"},"key_props":{` + text + `}}` }
	for what, content := range map[string]string{
		"no name at all":        `{}`,
		"bad subject":           `{"x509_props":{"subject":"orders"}}`,
		"RSA of 1024 bits":      key(`"key_size":1024`),
		"RSA with a curve":      key(`"kty":"RSA","crv":"P-256"`),
		"RSA in an HSM":         key(`"kty":"RSA-HSM"`),
		"symmetric key":         key(`"kty":"oct"`),
		"curve that Go has not": key(`"kty":"EC","crv":"P-256K"`),
		"size of another curve": key(`"kty":"EC","crv":"P-256","key_size":384`),
		"content type":          `{"x509_props":{"subject":"CN=a"},"secret_props":{"contentType":"text/plain"}}`,
		"no month":              x509(`"validity_months":0`),
		"too many months":       x509(`"validity_months":1201`),
		"unknown usage":         x509(`"key_usage":["signing"]`),
		"too many usages":       x509(`"key_usage":` + repeated("cRLSign", 10)),
		"EKU that is no OID":    x509(`"ekus":["serverAuth"]`),
		"long EKU":              x509(`"ekus":["1.2` + strings.Repeat(".1", 64) + `"]`),
		"too many EKUs":         x509(`"ekus":` + repeated("1.2.3", 33)),
		"too many names":        x509(`"sans":{"dns_names":` + repeated("a", 60) + `,"emails":` + repeated("a@b", 41) + `}`),
		"empty DNS name":        x509(`"sans":{"dns_names":[""]}`),
		"DNS name with a space": x509(`"sans":{"dns_names":["a b"]}`),
		"wildcard inside":       x509(`"sans":{"dns_names":["a.*.example"]}`),
		"long DNS name":         x509(`"sans":{"dns_names":["` + strings.Repeat("a.", 126) + `aa"]}`),
		"international DNS":     x509(`"sans":{"dns_names":["é.example"]}`),
		"email without @":       x509(`"sans":{"emails":["a"]}`),
		"international email":   x509(`"sans":{"emails":["é@example"]}`),
		"UPN without user":      x509(`"sans":{"upns":["@example"]}`),
		"UPN with a space":      x509(`"sans":{"upns":["a b@example"]}`),
		"UPN with two @":        x509(`"sans":{"upns":["a@b@example"]}`),
		"long UPN":              x509(`"sans":{"upns":["` + strings.Repeat("a", 255) + `@b"]}`),
		"URI without a scheme":  x509(`"sans":{"uris":["example/orders"]}`),
		"long URI":              x509(`"sans":{"uris":["urn:` + strings.Repeat("a", 255) + `"]}`),
		"IP with a zone":        x509(`"sans":{"ipAddresses":["fe80::1%eth0"]}`),
		"network":               x509(`"sans":{"ipAddresses":["10.0.0.0/8"]}`),
		"long issuer type":      `{"x509_props":{"subject":"CN=a"},"issuer":{"name":"Self","cty":"` + strings.Repeat("a", 128) + `"}}`,
		"unknown action":        action(`{"trigger":{"lifetime_percentage":80},"action":{"action_type":"Notify"}}`),
		"no trigger":            action(`{"trigger":{},"action":{"action_type":"AutoRenew"}}`),
		"two triggers":          action(`{"trigger":{"lifetime_percentage":80,"days_before_expiry":3},"action":{"action_type":"AutoRenew"}}`),
		"0 percent":             action(`{"trigger":{"lifetime_percentage":0},"action":{"action_type":"AutoRenew"}}`),
		"100 percent":           action(`{"trigger":{"lifetime_percentage":100},"action":{"action_type":"AutoRenew"}}`),
		"0 days":                action(`{"trigger":{"days_before_expiry":0},"action":{"action_type":"AutoRenew"}}`),
		"too many days":         action(`{"trigger":{"days_before_expiry":55},"action":{"action_type":"AutoRenew"}}`),
		"too many actions":      action(strings.Repeat(`{"trigger":{"lifetime_percentage":80},"action":{"action_type":"AutoRenew"}},`, 4) + `{"trigger":{"lifetime_percentage":80},"action":{"action_type":"AutoRenew"}}`),
	} {
		if err := newPolicy(t, content).Validate(); !isRefused(err, BadPolicy) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := newPolicy(t, `{"x509_props":{"subject":"CN=a"},"issuer":{"name":"DigiCert"}}`).Validate(); !isRefused(err, NoSuchIssuer) {
		t.Errorf("another authority: got %v", err)
	}
}

func TestPoliciesAtTheirBoundsAreValid(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		`{"x509_props":{"sans":{"dns_names":["*.example.com","_sip.example.com","localhost"]}}}`,
		`{"x509_props":{"sans":{"upns":["orders@contoso.com"],"ipAddresses":["::1"],"uris":["spiffe://example/orders","urn:a:b"],"emails":["a@b"]}}}`,
		`{"x509_props":{"subject":"CN=a","validity_months":1200}}`,
		`{"x509_props":{"subject":"CN=a","validity_months":2},"lifetime_actions":[{"trigger":{"days_before_expiry":54},"action":{"action_type":"EmailContacts"}}]}`,
		`{"x509_props":{"subject":"CN=a"},"lifetime_actions":[{"trigger":{"lifetime_percentage":99},"action":{"action_type":"AutoRenew"}}]}`,
		`{"x509_props":{"subject":"CN=a","ekus":["2.16.840.1.113894.746875.1.1"]},"lifetime_actions":[]}`,
		`{"x509_props":{"subject":"CN=a","ekus":null,"sans":null},"issuer":{"name":"Unknown","cert_transparency":false,"cty":"OV-SSL"},"key_props":{"kty":"EC","crv":"P-521"}}`,
	} {
		if err := newPolicy(t, content).Validate(); err != nil {
			t.Errorf("%s: %v", content, err)
		}
	}
}

// FuzzPolicy checks that what is valid can be made into a request, and that everything else is refused as a policy.
func FuzzPolicy(f *testing.F) {
	key, err := (&Policy{Key: KeyProperties{Type: EC, Curve: "P-256"}}).NextKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sentPolicy)
	f.Add(answeredPolicy)
	f.Add(`{"x509_props":{"sans":{"upns":["a@b"],"ipAddresses":["::ffff:10.0.0.1"],"uris":["urn:a"]},"ekus":["2.999.1"],"basic_constraints":{"ca":true}}}`)
	f.Fuzz(func(t *testing.T, content string) {
		var policy Policy
		if json.Unmarshal([]byte(content), &policy) != nil {
			return
		}
		policy.SetDefaults()
		if err := policy.Validate(); err != nil {
			if !isRefused(err, BadPolicy) && !isRefused(err, NoSuchIssuer) {
				t.Errorf("%s: %v", content, err)
			}
			return
		}
		request, err := policy.Request(key)
		if err != nil {
			t.Fatalf("%s: %v", content, err)
		}
		if _, err := parseRequest(request); err != nil {
			t.Errorf("%s: %v", content, err)
		}
	})
}
