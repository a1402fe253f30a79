package apigate

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// template is a path of an OpenAPI document, such as /orders/{id}.
type template struct {
	segments []segment

	// endsInSlash is whether the path does. The last segment is not empty then.
	endsInSlash bool
}

// segment is a part of a template between two slashes: a literal, a parameter, or both.
type segment struct {
	literal string

	// mixed matches a segment with both, and mixedLoosely does so in any case. They are nil in others.
	mixed, mixedLoosely *regexp.Regexp

	isParameter bool
}

var (
	parameter      = regexp.MustCompile(`\{[^{}/]+\}`)
	errBraces      = errors.New("its braces do not match")
	errUnmatchable = errors.New("the gate lets no such path pass: no empty segments, dots, semicolons, backslashes and control characters")
)

// parseTemplate reads a path of a document.
func parseTemplate(path string) (template, error) {
	if strings.ContainsAny(path, "?#") {
		return template{}, errUnmatchable
	}
	// Parameters stand for what is not empty.
	example, err := url.Parse(parameter.ReplaceAllString(path, "x"))
	if err != nil {
		return template{}, fmt.Errorf("read the path: %w", err)
	}
	if _, err := parsePath(example); err != nil || example.Host != "" {
		return template{}, errUnmatchable
	}
	parts, endsInSlash := trimSlash(strings.Split(strings.TrimPrefix(path, "/"), "/"))
	made := template{endsInSlash: endsInSlash}
	for _, part := range parts {
		one, err := parseSegment(part)
		if err != nil {
			return template{}, err
		}
		made.segments = append(made.segments, one)
	}
	return made, nil
}

// trimSlash returns segments without the last one if it is empty, and whether it is.
func trimSlash(segments []string) ([]string, bool) {
	last := len(segments) - 1
	if segments[last] == "" {
		return segments[:last], true
	}
	return segments, false
}

func parseSegment(part string) (segment, error) {
	literals := parameter.Split(part, -1)
	for i, literal := range literals {
		decoded, err := url.PathUnescape(literal)
		if err != nil {
			return segment{}, fmt.Errorf("read the path: %w", err)
		}
		if strings.ContainsAny(decoded, "{}") {
			return segment{}, errBraces
		}
		literals[i] = decoded
	}
	switch {
	case len(literals) == 1:
		return segment{literal: literals[0]}, nil
	case len(literals) == 2 && literals[0] == "" && literals[1] == "":
		return segment{isParameter: true}, nil
	}
	for i := range literals {
		literals[i] = regexp.QuoteMeta(literals[i])
	}
	pattern := "^" + strings.Join(literals, ".+") + "$"
	strictly, err := regexp.Compile("(?s)" + pattern)
	if err != nil {
		return segment{}, fmt.Errorf("read the path: %w", err)
	}
	loosely, err := regexp.Compile("(?is)" + pattern)
	if err != nil {
		return segment{}, fmt.Errorf("read the path: %w", err)
	}
	return segment{mixed: strictly, mixedLoosely: loosely}, nil
}

// matches reports whether the segment is meant by a value.
func (s segment) matches(value string) bool {
	switch {
	case s.isParameter:
		return value != ""
	case s.mixed != nil:
		return s.mixed.MatchString(value)
	}
	return s.literal == value
}

// couldMatch reports whether some program takes a value for the segment: in another case, with spaces around it or a format after a dot.
func (s segment) couldMatch(value string) bool {
	switch {
	case s.isParameter:
		return true
	case s.mixedLoosely != nil:
		return s.mixedLoosely.MatchString(strings.TrimSpace(value))
	}
	return strings.EqualFold(bare(s.literal), bare(value))
}

// bare returns a segment without spaces around it and what follows its first dot. One that begins with a dot stays.
func bare(value string) string {
	value = strings.TrimSpace(value)
	if before, _, found := strings.Cut(value, "."); found && before != "" {
		return strings.TrimSpace(before)
	}
	return value
}

// precision orders what a value may mean: the literal itself, a literal that only some programs take it for, a part of a literal, any value.
func (s segment) precision(value string) int {
	switch {
	case s.isParameter:
		return 0
	case s.mixed != nil:
		return 1
	case s.literal != value:
		return 2
	}
	return 3
}

// matches reports whether a path, without its last slash, is the template's.
func (t template) matches(path []string, endsInSlash bool) bool {
	return t.endsInSlash == endsInSlash && t.all(path, segment.matches)
}

// couldMatch reports whether some program could take a path for the template's.
func (t template) couldMatch(path []string) bool { return t.all(path, segment.couldMatch) }

func (t template) all(path []string, matches func(segment, string) bool) bool {
	if len(t.segments) != len(path) {
		return false
	}
	for i, one := range t.segments {
		if !matches(one, path[i]) {
			return false
		}
	}
	return true
}

// isBetter reports whether a template, which matches a path, is what it means rather than another one that could match it: at no segment is the
// other one more precise. Of templates that are equal there, the one that matches is meant.
func (t template) isBetter(other template, path []string, otherMatches bool) bool {
	better := !otherMatches
	for i, value := range path {
		mine, others := t.segments[i].precision(value), other.segments[i].precision(value)
		if mine < others {
			return false
		}
		better = better || mine > others
	}
	return better
}
