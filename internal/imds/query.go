package imds

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQueryBytes bounds a query. The longest that clients send, with a resource ID, is well below 1 KiB.
const maxQueryBytes = 4 << 10

// maxParameters bounds how many a query has. Clients send less than ten.
const maxParameters = 64

// query is a parsed query in which every name, in lower case, occurs once, and every value is text without control
// characters.
type query map[string]string

// parseQuery reads a raw query. Names mean the same in any case: one that was passed over for its case could be the one
// that names the identity. Names that mean nothing are kept, to be ignored, but not when they occur twice.
func parseQuery(raw string) (query, *Error) {
	if len(raw) > maxQueryBytes || strings.Count(raw, "&") >= maxParameters {
		return nil, invalid("Bad request. The query is too long")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("Bad request. The query is malformed")
	}
	q := make(query, len(values))
	for name, all := range values {
		name = lowerText(name)
		if _, again := q[name]; again || len(all) > 1 {
			return nil, invalid("Bad request. A query parameter was specified more than once")
		}
		if !isText(all[0]) {
			return nil, invalid("Bad request. A query parameter is not text")
		}
		q[name] = all[0]
	}
	return q, nil
}

// version checks the parameter api-version.
func (q query) version(since string) (string, *Error) {
	version := q["api-version"]
	return version, checkVersion(version, since)
}

// flag reads a parameter that is true or false, and false when it is absent.
func (q query) flag(name string) (bool, *Error) {
	switch strings.ToLower(q[name]) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid("Bad request. The parameter " + name + " is true or false")
}

// isText tells whether a value can be handed on, to JSON and to a token, to the letter.
func isText(value string) bool {
	return utf8.ValidString(value) && strings.IndexFunc(value, unicode.IsControl) < 0
}
