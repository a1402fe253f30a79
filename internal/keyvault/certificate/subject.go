package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
)

// FormatName returns a name as text, as Windows writes it.
func FormatName(name pkix.RDNSequence) string {
	var text strings.Builder
	for i := len(name) - 1; i >= 0; i-- {
		for j, one := range name[i] {
			switch {
			case j > 0:
				text.WriteString(" + ")
			case text.Len() > 0:
				text.WriteString(", ")
			}
			text.WriteString(nameOf(one.Type) + "=" + quote(valueOf(one.Value)))
		}
	}
	return text.String()
}

// Subject returns the subject of a certificate as text.
func Subject(certificate *x509.Certificate) string {
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(certificate.RawSubject, &name); err != nil {
		return certificate.Subject.String()
	}
	return FormatName(name)
}

func nameOf(oid asn1.ObjectIdentifier) string {
	for _, one := range attributes {
		if one.oid.Equal(oid) {
			return one.names[0]
		}
	}
	return "OID." + oid.String()
}

func valueOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case asn1.RawValue:
		return string(value.Bytes)
	}
	return ""
}

// quote puts a value into quotation marks if it must be.
func quote(value string) string {
	if value != "" && strings.TrimSpace(value) == value && !strings.ContainsAny(value, `\"+,;<=>#`) {
		return value
	}
	return `"` + strings.NewReplacer(`"`, `""`, `\`, `\\`).Replace(value) + `"`
}
