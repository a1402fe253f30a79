package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// usages are the key usages by their bits (RFC 5280 section 4.2.1.3).
var usages = []string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

// extensions returns what a certificate, or a request for one, has of a policy. crypto/x509 has no such fields for requests.
func (x *X509Properties) extensions() ([]pkix.Extension, error) {
	var list []pkix.Extension
	for _, one := range []struct {
		oid      asn1.ObjectIdentifier
		wanted   bool
		critical bool
		encode   func() ([]byte, error)
	}{
		{oidKeyUsage, len(x.KeyUsage) > 0, true, x.encodeUsages},
		{oidExtendedKeyUsage, len(x.EKUs) > 0, false, x.encodeEKUs},
		{oidAlternativeNames, x.Names.count() > 0, strings.TrimSpace(x.Subject) == "", x.Names.encode},
		{oidBasicConstraints, true, x.isCA(), x.encodeConstraints},
	} {
		if !one.wanted {
			continue
		}
		value, err := one.encode()
		if err != nil {
			return nil, fmt.Errorf("encode the extension %s: %w", one.oid, err)
		}
		list = append(list, pkix.Extension{Id: one.oid, Critical: one.critical, Value: value})
	}
	return list, nil
}

func (x *X509Properties) isCA() bool { return x.BasicConstraints != nil && x.BasicConstraints.CA }

func (x *X509Properties) encodeUsages() ([]byte, error) {
	var bits asn1.BitString
	for i, name := range usages {
		for _, usage := range x.KeyUsage {
			if usage == name {
				bits.Bytes = append(bits.Bytes, make([]byte, i/8+1-len(bits.Bytes))...)
				bits.Bytes[i/8] |= 0x80 >> (i % 8)
				bits.BitLength = i + 1
			}
		}
	}
	return asn1.Marshal(bits)
}

func (x *X509Properties) encodeEKUs() ([]byte, error) {
	var list []asn1.RawValue
	for _, text := range x.EKUs {
		oid, err := x509.ParseOID(text)
		if err != nil {
			return nil, err
		}
		content, err := oid.MarshalBinary()
		if err != nil {
			return nil, err
		}
		list = append(list, asn1.RawValue{Tag: asn1.TagOID, Bytes: content})
	}
	return asn1.Marshal(list)
}

func (x *X509Properties) encodeConstraints() ([]byte, error) {
	return asn1.Marshal(struct {
		CA bool `asn1:"optional"`
	}{x.isCA()})
}
