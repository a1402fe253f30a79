package imds

import "strings"

// The paths that are answered, and those that never are.
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

// normalPath is the form of a request's raw path in which it is matched: in lower case, every run of slashes one
// slash, and none at the end. Nothing is decoded and no dots are resolved, so a path that hides another one, by
// %2f, /./, a backslash or a parameter, stays a path that does not exist.
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

// lowerText is a text in lower case, as lower knows it.
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

// lower knows ASCII alone: Unicode has letters whose lower case is ASCII, and those are other paths.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// below tells whether path is parent or lies below it, and gives the rest, which starts with a slash or is empty.
func below(path, parent string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, parent)
	return rest, ok && (rest == "" || rest[0] == '/')
}
