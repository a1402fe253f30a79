package trustfiles

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strings"
)

// subjectHash returns the name by which OpenSSL finds a certificate in a folder, without its number (X509_NAME_hash): a hash of the subject
// in canonical form.
func subjectHash(certificate *x509.Certificate) (string, error) {
	var subject pkix.RDNSequence
	if _, err := asn1.Unmarshal(certificate.RawSubject, &subject); err != nil {
		return "", fmt.Errorf("read the subject of an authority: %w", err)
	}
	var canonical bytes.Buffer
	for _, names := range subject {
		var set canonicalNames
		for _, name := range names {
			text, ok := name.Value.(string)
			if !ok {
				return "", fmt.Errorf("the subject of an authority has a value that is no text: %v", name.Type)
			}
			set = append(set, canonicalName{name.Type, strings.ToLower(strings.Join(strings.Fields(text), " "))})
		}
		encoded, err := asn1.MarshalWithParams(set, "set")
		if err != nil {
			return "", fmt.Errorf("encode the subject of an authority: %w", err)
		}
		canonical.Write(encoded)
	}
	digest := sha1.Sum(canonical.Bytes())
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest[:])), nil
}

type canonicalNames []canonicalName

type canonicalName struct {
	Type  asn1.ObjectIdentifier
	Value string `asn1:"utf8"`
}
