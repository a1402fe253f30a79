package certificate

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "",
		"cn=MyCert":                           "CN=MyCert",
		"CN=a, O=b; C=US":                     "CN=a, O=b, C=US",
		`CN="a, b",O=say ""`:                  "",
		`CN="say ""hi""", ST=WA`:              `CN="say ""hi""", S=WA`,
		`CN=a\, b\2Bc,OU=x`:                   `CN="a, b+c", OU=x`,
		`CN=\C3\A9t\C3\A9`:                    "CN=été",
		`CN=a\ , O=  b  `:                     `CN="a ", O=b`,
		"CN=a + OU=b, DC=example, DC=com":     "CN=a + OU=b, DC=example, DC=com",
		"2.5.4.3=a, OID.2.5.4.10=b":           "CN=a, O=b",
		"OID.1.2.3=a, email=x@example.com":    "OID.1.2.3=a, E=x@example.com",
		`CN="", O="C:\\d"`:                    `CN="", O="C:\\d"`,
		"CN=été, O=日本":                        "CN=été, O=日本",
		"CN=*.example.com/x:y=z":              `CN="*.example.com/x:y=z"`,
		"CN=" + strings.Repeat("é", 64) + "1": "",
	} {
		name, err := ParseName(text)
		if want == "" && text != "" {
			if !isRefused(err, BadPolicy) {
				t.Errorf("%q: got %v, error %v", text, name, err)
			}
			continue
		}
		if err != nil || FormatName(name) != want {
			t.Errorf("%q is %q, error %v", text, FormatName(name), err)
		}
	}
}

// The last part of the text is the first of the name, and email addresses are IA5 strings.
func TestNameIsEncodedBackwards(t *testing.T) {
	t.Parallel()
	name, err := ParseName("CN=a, E=x@example.com, C=US")
	if err != nil {
		t.Fatal(err)
	}
	content, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	country := bytes.Index(content, []byte("\x55\x04\x06\x13\x02US"))
	email := bytes.Index(content, []byte("\x16\x0dx@example.com"))
	common := bytes.Index(content, []byte("\x55\x04\x03\x13\x01a"))
	if country < 0 || email < country || common < email {
		t.Errorf("encoded as %q", content)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"no attribute":          "orders",
		"unknown attribute":     "XX=a",
		"no value":              "CN=",
		"empty value":           "CN=  , O=b",
		"separator at the end":  "CN=a,",
		"separator first":       ",CN=a",
		"open quotation":        `CN="a`,
		"quotation inside":      `CN=a"b`,
		"text after quotation":  `CN="a"b`,
		"backslash at the end":  `CN=a\`,
		"half a byte":           `CN=a\4`,
		"escape of nothing":     `CN=a\zz`,
		"escaped half of UTF-8": `CN=\C3`,
		"escaped control":       `CN=\00`,
		"hexadecimal":           "CN=#0402",
		"control character":     "CN=a\nb",
		"not UTF-8":             "CN=\xff",
		"long country":          "C=USA",
		"long common name":      "CN=" + strings.Repeat("a", 65),
		"international email":   "E=é@example.com",
		"large number in OID":   "OID.1.2.99999999999999999999=a",
		"long OID":              "OID.1.2" + strings.Repeat(".1", 64) + "=a",
		"long":                  strings.Repeat("OU=a,", 300) + "CN=a",
		"many attributes":       strings.Repeat("OU=a,", 32) + "CN=a",
	} {
		if name, err := ParseName(text); !isRefused(err, BadPolicy) {
			t.Errorf("%s: got %v, error %v", what, name, err)
		}
	}
	if _, err := ParseName(strings.Repeat("OU=a,", 31) + "CN=a"); err != nil {
		t.Errorf("a name with %d attributes: %v", maxAttributes, err)
	}
}

func isRefused(err error, reason Reason) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && refusal.Reason == reason
}

// FuzzName checks that what is read can be encoded, written and read again.
func FuzzName(f *testing.F) {
	f.Add(`CN=orders, O="Contoso, Inc.", C=US`)
	f.Add(`CN=a\2Bb + OU=x; OID.1.2.3="say ""hi"""`)
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseName(text)
		if err != nil {
			if !isRefused(err, BadPolicy) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		content, err := asn1.Marshal(name)
		if err != nil {
			t.Fatalf("%q: cannot be encoded: %v", text, err)
		}
		var decoded pkix.RDNSequence
		if _, err := asn1.Unmarshal(content, &decoded); err != nil {
			t.Fatalf("%q: cannot be decoded: %v", text, err)
		}
		if len(FormatName(name)) > maxName {
			return
		}
		again, err := ParseName(FormatName(name))
		if err != nil || !reflect.DeepEqual(again, name) {
			t.Errorf("%q is %v, and as %q it is %v, error %v", text, name, FormatName(name), again, err)
		}
	})
}
