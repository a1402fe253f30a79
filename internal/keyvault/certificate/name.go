package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a distinguished name.
const (
	maxName       = 1024
	maxAttributes = 32
)

// attribute is a type of attribute with the names that it has in text, the one to write first.
type attribute struct {
	names []string
	oid   asn1.ObjectIdentifier

	// max is the upper bound of RFC 5280, in characters, if it has one.
	max int

	// ascii is whether values are IA5 strings.
	ascii bool
}

// attributes are those that Windows names, and thereby Azure.
var attributes = []attribute{
	{names: []string{"CN"}, oid: asn1.ObjectIdentifier{2, 5, 4, 3}, max: 64},
	{names: []string{"O"}, oid: asn1.ObjectIdentifier{2, 5, 4, 10}, max: 64},
	{names: []string{"OU"}, oid: asn1.ObjectIdentifier{2, 5, 4, 11}, max: 64},
	{names: []string{"L"}, oid: asn1.ObjectIdentifier{2, 5, 4, 7}, max: 128},
	{names: []string{"S", "ST"}, oid: asn1.ObjectIdentifier{2, 5, 4, 8}, max: 128},
	{names: []string{"C"}, oid: asn1.ObjectIdentifier{2, 5, 4, 6}, max: 2},
	{names: []string{"STREET"}, oid: asn1.ObjectIdentifier{2, 5, 4, 9}, max: 128},
	{names: []string{"PostalCode"}, oid: asn1.ObjectIdentifier{2, 5, 4, 17}, max: 40},
	{names: []string{"SERIALNUMBER"}, oid: asn1.ObjectIdentifier{2, 5, 4, 5}, max: 64},
	{names: []string{"T", "TITLE"}, oid: asn1.ObjectIdentifier{2, 5, 4, 12}, max: 64},
	{names: []string{"G", "GN"}, oid: asn1.ObjectIdentifier{2, 5, 4, 42}, max: 64},
	{names: []string{"SN"}, oid: asn1.ObjectIdentifier{2, 5, 4, 4}, max: 64},
	{names: []string{"I"}, oid: asn1.ObjectIdentifier{2, 5, 4, 43}, max: 64},
	{names: []string{"E", "Email", "emailAddress"}, oid: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, max: 255, ascii: true},
	{names: []string{"DC"}, oid: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, max: 63, ascii: true},
	{names: []string{"UID"}, oid: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, max: 256},
}

// ParseName reads a distinguished name such as `CN=orders, O="Contoso, Inc.", C=US`. As in Windows and in RFC 4514, which differ in what
// they escape and are both understood, the last part of the text is the first one of the name.
func ParseName(text string) (pkix.RDNSequence, error) {
	if len(text) > maxName {
		return nil, badPolicy("The subject is longer than %d bytes.", maxName)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, badPolicy("The subject has characters that a name cannot have.")
	}
	parser := nameParser{rest: strings.TrimSpace(text)}
	var backwards []pkix.RelativeDistinguishedNameSET
	for count := 0; parser.rest != ""; count++ {
		if count == maxAttributes {
			return nil, badPolicy("The subject has more than %d attributes.", maxAttributes)
		}
		joined := parser.separator == '+'
		one, err := parser.next()
		if err != nil {
			return nil, err
		}
		if joined {
			backwards[len(backwards)-1] = append(backwards[len(backwards)-1], one)
		} else {
			backwards = append(backwards, pkix.RelativeDistinguishedNameSET{one})
		}
	}
	if parser.separator != 0 {
		return nil, badPolicy("The subject ends in a separator.")
	}
	name := pkix.RDNSequence{}
	for i := len(backwards) - 1; i >= 0; i-- {
		name = append(name, backwards[i])
	}
	return name, nil
}

// nameParser reads the attributes of a name.
type nameParser struct {
	rest string

	// separator is the one after the last attribute, or 0.
	separator byte
}

func (p *nameParser) next() (pkix.AttributeTypeAndValue, error) {
	var none pkix.AttributeTypeAndValue
	key, rest, found := strings.Cut(p.rest, "=")
	kind := findAttribute(strings.TrimSpace(key))
	if !found || kind == nil {
		return none, badPolicy("The subject must be a distinguished name, such as CN=example.com, O=Example, of attributes that are known.")
	}
	p.rest = strings.TrimLeft(rest, " ")
	value, err := p.value()
	if err != nil {
		return none, err
	}
	if kind.max > 0 && utf8.RuneCountInString(value) > kind.max {
		return none, badPolicy("The attribute %s of the subject is longer than %d characters.", kind.names[0], kind.max)
	}
	if kind.ascii {
		if !isASCII(value) {
			return none, badPolicy("The attribute %s of the subject must be ASCII.", kind.names[0])
		}
		return pkix.AttributeTypeAndValue{Type: kind.oid, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(value)}}, nil
	}
	return pkix.AttributeTypeAndValue{Type: kind.oid, Value: value}, nil
}

// findAttribute returns the attribute of a name or an object identifier, or nil.
func findAttribute(key string) *attribute {
	if len(key) > maxOID {
		return nil
	}
	for i := range attributes {
		for _, name := range attributes[i].names {
			if strings.EqualFold(name, key) {
				return &attributes[i]
			}
		}
	}
	if len(key) > 4 && strings.EqualFold(key[:4], "OID.") {
		key = key[4:]
	}
	oid, ok := parseOID(key)
	if !ok {
		return nil
	}
	for i := range attributes {
		if attributes[i].oid.Equal(oid) {
			return &attributes[i]
		}
	}
	return &attribute{names: []string{"OID." + key}, oid: oid}
}

// parseOID returns an object identifier that has numbers of 31 bits.
func parseOID(text string) (asn1.ObjectIdentifier, bool) {
	parsed, err := x509.ParseOID(text)
	if err != nil {
		return nil, false
	}
	content, err := parsed.MarshalBinary()
	if err != nil {
		return nil, false
	}
	var oid asn1.ObjectIdentifier
	encoded, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagOID, Bytes: content})
	if err != nil {
		return nil, false
	}
	_, err = asn1.Unmarshal(encoded, &oid)
	return oid, err == nil
}

// value reads a value and the separator after it.
func (p *nameParser) value() (string, error) {
	if strings.HasPrefix(p.rest, "#") {
		return "", badPolicy("The subject has a value in hexadecimal, which is not supported.")
	}
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted()
	}
	var value strings.Builder
	length := 0 // without spaces at the end, unless they are escaped
	for p.rest != "" && !isSeparator(p.rest[0]) {
		char := p.rest[0]
		switch char {
		case '"':
			return "", badPolicy("The subject has a quotation mark inside of a value.")
		case '\\':
			escaped, err := p.escaped()
			if err != nil {
				return "", err
			}
			value.WriteByte(escaped)
			length = value.Len()
			continue
		}
		value.WriteByte(char)
		p.rest = p.rest[1:]
		if char != ' ' {
			length = value.Len()
		}
	}
	if length == 0 {
		return "", badPolicy("The subject has an attribute without a value.")
	}
	return p.checked(value.String()[:length])
}

// quoted reads a value in quotation marks, in which two of them are one.
func (p *nameParser) quoted() (string, error) {
	var value strings.Builder
	p.rest = p.rest[1:]
	for p.rest != "" {
		switch char := p.rest[0]; {
		case strings.HasPrefix(p.rest, `""`):
			value.WriteByte('"')
			p.rest = p.rest[2:]
		case char == '"':
			p.rest = strings.TrimLeft(p.rest[1:], " ")
			if p.rest != "" && !isSeparator(p.rest[0]) {
				return "", badPolicy("The subject has something between a quotation mark and the next separator.")
			}
			return p.checked(value.String())
		case char == '\\':
			escaped, err := p.escaped()
			if err != nil {
				return "", err
			}
			value.WriteByte(escaped)
		default:
			value.WriteByte(char)
			p.rest = p.rest[1:]
		}
	}
	return "", badPolicy("The subject has a quotation mark that is not closed.")
}

// escaped reads what RFC 4514 escapes with a backslash: a special character, or a byte in hexadecimal.
func (p *nameParser) escaped() (byte, error) {
	if len(p.rest) > 1 && strings.IndexByte(`\"+,;<=># `, p.rest[1]) >= 0 {
		char := p.rest[1]
		p.rest = p.rest[2:]
		return char, nil
	}
	var char [1]byte
	if len(p.rest) < 3 {
		return 0, badPolicy("The subject ends in a backslash.")
	}
	if _, err := hex.Decode(char[:], []byte(p.rest[1:3])); err != nil {
		return 0, badPolicy("The subject has a backslash that escapes nothing.")
	}
	p.rest = p.rest[3:]
	return char[0], nil
}

// checked returns a value of which escaped bytes may be part, and takes the separator that is next.
func (p *nameParser) checked(value string) (string, error) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", badPolicy("The subject has characters that a name cannot have.")
	}
	p.separator = 0
	if p.rest != "" {
		p.separator = p.rest[0]
		p.rest = strings.TrimLeft(p.rest[1:], " ")
	}
	return value, nil
}

func isSeparator(char byte) bool { return char == ',' || char == ';' || char == '+' }

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(char rune) bool { return char > unicode.MaxASCII })
}
