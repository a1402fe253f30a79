package certificate

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of subject alternative names.
const (
	maxNames   = 100
	maxDNSName = 253
	maxOther   = 255
)

// dnsName is a DNS name, or a pattern of one level of them.
var dnsName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*$`)

func (n *AlternativeNames) count() int {
	return len(n.Emails) + len(n.DNSNames) + len(n.UPNs) + len(n.URIs) + len(n.IPs)
}

func (n *AlternativeNames) validate() error {
	if n.count() > maxNames {
		return badPolicy("There are more than %d subject alternative names.", maxNames)
	}
	for _, kind := range []struct {
		what  string
		names []string
		valid func(string) bool
	}{
		{"DNS name", n.DNSNames, func(name string) bool { return len(name) <= maxDNSName && dnsName.MatchString(name) }},
		{"email address", n.Emails, func(name string) bool { return isASCII(name) && isAddress(name) }},
		{"user principal name", n.UPNs, isAddress},
		{"URI", n.URIs, isURI},
		{"IP address", n.IPs, func(name string) bool {
			address, err := netip.ParseAddr(name)
			return err == nil && address.Zone() == ""
		}},
	} {
		for _, name := range kind.names {
			if !kind.valid(name) {
				return badPolicy("The subject alternative name %q is not a valid %s.", cut(name), kind.what)
			}
		}
	}
	return nil
}

// isAddress reports whether a name is in the form user@domain.
func isAddress(name string) bool {
	user, domain, _ := strings.Cut(name, "@")
	return len(name) <= maxOther && utf8.ValidString(name) && user != "" && domain != "" && !strings.Contains(domain, "@") &&
		!strings.ContainsFunc(name, func(char rune) bool { return unicode.IsSpace(char) || unicode.IsControl(char) })
}

func isURI(name string) bool {
	parsed, err := url.Parse(name)
	return len(name) <= maxOther && isASCII(name) && err == nil && parsed.Scheme != "" && (parsed.Host != "" || parsed.Opaque != "")
}

// The tags of a GeneralName (RFC 5280 section 4.2.1.6).
const (
	tagOther = 0
	tagEmail = 1
	tagDNS   = 2
	tagURI   = 6
	tagIP    = 7
)

// oidUPN is the type of other names that are user principal names.
var oidUPN = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}

// otherName is a name of a type of its own, of those that are text.
type otherName struct {
	Type  asn1.ObjectIdentifier
	Value string `asn1:"tag:0,explicit,utf8"`
}

// encode returns the names as an extension has them. crypto/x509 has none for user principal names.
func (n *AlternativeNames) encode() ([]byte, error) {
	var all []asn1.RawValue
	for _, kind := range []struct {
		tag   int
		names []string
	}{{tagDNS, n.DNSNames}, {tagEmail, n.Emails}, {tagURI, n.URIs}} {
		for _, name := range kind.names {
			all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: kind.tag, Bytes: []byte(name)})
		}
	}
	for _, name := range n.IPs {
		address, err := netip.ParseAddr(name)
		if err != nil {
			return nil, err
		}
		all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagIP, Bytes: address.AsSlice()})
	}
	for _, name := range n.UPNs {
		other, err := asn1.MarshalWithParams(otherName{oidUPN, name}, "tag:0")
		if err != nil {
			return nil, err
		}
		all = append(all, asn1.RawValue{FullBytes: other})
	}
	return asn1.Marshal(all)
}

// alternativeNamesOf returns those of a certificate.
func alternativeNamesOf(certificate *x509.Certificate) AlternativeNames {
	names := AlternativeNames{Emails: certificate.EmailAddresses, DNSNames: certificate.DNSNames}
	for _, uri := range certificate.URIs {
		names.URIs = append(names.URIs, uri.String())
	}
	for _, address := range certificate.IPAddresses {
		names.IPs = append(names.IPs, address.String())
	}
	for _, extension := range certificate.Extensions {
		if extension.Id.Equal(oidAlternativeNames) {
			names.UPNs = append(names.UPNs, principalNames(extension.Value)...)
		}
	}
	return names
}

// principalNames returns the user principal names of an extension. Other names of other types are passed over.
func principalNames(extension []byte) []string {
	var all []asn1.RawValue
	if _, err := asn1.Unmarshal(extension, &all); err != nil {
		return nil
	}
	var names []string
	for _, one := range all {
		var other otherName
		if one.Class != asn1.ClassContextSpecific || one.Tag != tagOther {
			continue
		}
		if _, err := asn1.UnmarshalWithParams(one.FullBytes, &other, "tag:0"); err == nil && other.Type.Equal(oidUPN) {
			names = append(names, other.Value)
		}
	}
	return names
}
