package apigate

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The bounds of a path and a query, in bytes.
const (
	maxPath  = 2 << 10
	maxQuery = 8 << 10
)

// encoded matches what a program that decodes a path twice would take for a character.
var encoded = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// parsePath returns the segments of the path of a request, decoded. Paths that anything behind the gate could take for another one are refused,
// so that the backend can be sent what was understood.
func parsePath(address *url.URL) ([]string, error) {
	raw, path := address.EscapedPath(), address.Path
	rest, isAbsolute := strings.CutPrefix(path, "/")
	lower := strings.ToLower(raw)
	switch {
	case !isAbsolute || len(raw) > maxPath || !utf8.ValidString(path) || strings.ContainsFunc(path, isControl):
		return nil, errPath
	case strings.ContainsAny(path, `\;`) || strings.Contains(lower, "%2f") || encoded.MatchString(path):
		return nil, errPath
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		isEmpty := segment == "" && i < len(segments)-1
		isDots := segment != "" && strings.Trim(segment, ". ") == ""
		if isEmpty || isDots {
			return nil, errPath
		}
	}
	return segments, nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// parseQuery checks the query of a request. It stays as it is: it does not say which operation is meant, unless by the parameter that some
// frameworks take for a method.
func parseQuery(raw string) error {
	if len(raw) > maxQuery {
		return errQuery
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errQuery
	}
	for name := range query {
		if strings.EqualFold(name, "_method") || isOverride(name) {
			return badRequest("UnsupportedQueryParameter", "The query parameter %s is not supported.", cut(name))
		}
	}
	return nil
}
