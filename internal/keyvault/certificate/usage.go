package certificate

import (
	"crypto/x509"
	"encoding/asn1"
)

// usagesOf returns the key usages of a certificate by their names.
func usagesOf(certificate *x509.Certificate) []string {
	names := []string{}
	for i, name := range usages {
		if certificate.KeyUsage&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ekusOf returns the extended key usages of a certificate.
func ekusOf(certificate *x509.Certificate) []string {
	list := []string{}
	for _, extension := range certificate.Extensions {
		var oids []asn1.ObjectIdentifier
		if !extension.Id.Equal(oidExtendedKeyUsage) {
			continue
		}
		if _, err := asn1.Unmarshal(extension.Value, &oids); err != nil {
			continue
		}
		for _, oid := range oids {
			list = append(list, oid.String())
		}
	}
	return list
}
