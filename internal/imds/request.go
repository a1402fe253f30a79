package imds

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The paths served.
const (
	rootPath         = "/metadata"
	identityPath     = rootPath + "/identity"
	tokenPath        = identityPath + "/oauth2/token"
	infoPath         = identityPath + "/info"
	instancePath     = rootPath + "/instance"
	loadBalancerPath = rootPath + "/loadbalancer"
	eventsPath       = rootPath + "/scheduledevents"
	attestedPath     = rootPath + "/attested/document"
	versionsPath     = rootPath + "/versions"
)

// normalPath returns the form of a raw path used for routing: lower case, runs of slashes collapsed, no trailing slash. It
// decodes nothing and resolves no dots, so a path that hides another one by %2f, /./, a backslash or a parameter gets 404.
func normalPath(raw string) string {
	if isNormal(raw) {
		return raw
	}
	var path strings.Builder
	path.Grow(len(raw))
	for i := range len(raw) {
		c := raw[i]
		if c == '/' && (i+1 == len(raw) || raw[i+1] == '/') {
			continue
		}
		path.WriteByte(lower(c))
	}
	return path.String()
}

// lowerText returns text with ASCII letters in lower case; see lower.
func lowerText(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

func isNormal(path string) bool {
	for i := range len(path) {
		if path[i] == '/' && (i+1 == len(path) || path[i+1] == '/') || path[i] != lower(path[i]) {
			return false
		}
	}
	return true
}

// lower maps ASCII only: some Unicode letters have an ASCII lower case, and those must stay different paths.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// below reports whether path is parent or lies below it. rest is empty or starts with a slash.
func below(path, parent string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, parent)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// maxQueryBytes bounds a query. The longest that clients send, with a resource ID, stays well below 1 KiB.
const maxQueryBytes = 4 << 10

// maxParameters bounds the parameters of a query. Clients send fewer than ten.
const maxParameters = 64

// query is a parsed query. Names are in lower case and unique; values are UTF-8 without control characters.
type query map[string]string

// parseQuery parses a raw query. Names are case-insensitive: ignoring one for its case could mean ignoring the one that
// selects the identity. Unknown names are allowed, repeated ones are not.
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

// version returns the api-version, which must exist and be no older than since.
func (q query) version(since string) (string, *Error) {
	version := q["api-version"]
	return version, checkVersion(version, since)
}

// flag returns a boolean parameter; the default is false.
func (q query) flag(name string) (bool, *Error) {
	switch strings.ToLower(q[name]) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid("Bad request. The parameter " + name + " is true or false")
}

// isText reports whether a value survives in JSON and in a token unchanged.
func isText(value string) bool {
	return utf8.ValidString(value) && strings.IndexFunc(value, unicode.IsControl) < 0
}
