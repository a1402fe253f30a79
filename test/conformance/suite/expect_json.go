package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ofDocument returns an expectation of the last answer's JSON.
func ofDocument(says string, check func(document *node, known *knowledge) error) Expectation {
	return Expectation{says: says, check: func(s *seen) error {
		document, err := s.last().document()
		if err == nil {
			err = check(document, s.known)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", says, err)
		}
		return nil
	}}
}

// object expects an object with exactly these members in this order. An empty path means the document.
func object(path string, names ...string) Expectation {
	says := "{" + strings.Join(names, ", ") + "} in this order"
	if path != "" {
		says = path + " is " + says
	}
	return ofDocument(says, func(document *node, _ *knowledge) error {
		found := document.find(path)
		if found == nil || found.kind != '{' {
			return fmt.Errorf("no object")
		}
		if !slices.Equal(found.names, names) {
			return fmt.Errorf("got members %q", found.names)
		}
		return nil
	})
}

// array expects an array at a path.
func array(path string) Expectation {
	return ofDocument("an array "+path, func(document *node, _ *knowledge) error {
		if found := document.find(path); found == nil || found.kind != '[' {
			return fmt.Errorf("no array")
		}
		return nil
	})
}

// has expects paths to exist.
func has(paths ...string) Expectation { return presence("has", true, paths) }

// lacks expects paths not to exist.
func lacks(paths ...string) Expectation { return presence("lacks", false, paths) }

func presence(verb string, wanted bool, paths []string) Expectation {
	if len(paths) == 0 {
		return Expectation{check: func(*seen) error { return nil }}
	}
	return ofDocument(verb+" "+strings.Join(paths, " "), func(document *node, _ *knowledge) error {
		var wrong []string
		for _, path := range paths {
			if (document.find(path) != nil) != wanted {
				wrong = append(wrong, path)
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		if wanted {
			return fmt.Errorf("missing %s", strings.Join(wrong, ", no "))
		}
		return fmt.Errorf("unexpected %s", strings.Join(wrong, ", and "))
	})
}

// value expects an exact string at a path.
func value(path, wanted string) Expectation {
	return ofDocument(path+" is "+wanted, func(document *node, known *knowledge) error {
		found := document.find(path)
		if found == nil || found.kind != '"' || found.text != known.fill(wanted) {
			return fmt.Errorf("got %s", shown(found))
		}
		return nil
	})
}

// matches expects a matching string at a path.
func matches(path, pattern string) Expectation {
	expression := regexp.MustCompile(pattern)
	return ofDocument(path+" as "+pattern, func(document *node, _ *knowledge) error {
		found := document.find(path)
		if found == nil || found.kind != '"' || !expression.MatchString(found.text) {
			return fmt.Errorf("got %s", shown(found))
		}
		return nil
	})
}

// integer expects a whole number at a path, not a string.
func integer(path string) Expectation {
	whole := regexp.MustCompile(`^-?[0-9]+$`)
	return ofDocument(path+" is an integer", func(document *node, _ *knowledge) error {
		found := document.find(path)
		if found == nil || found.kind != '0' || !whole.MatchString(found.text) {
			return fmt.Errorf("got %s", shown(found))
		}
		return nil
	})
}

// number returns a leaf that is a number or a string of digits; otherwise zero.
func number(document *node, path string) int64 {
	found := document.find(path)
	if found == nil {
		return 0
	}
	parsed, err := strconv.ParseInt(found.text, 10, 64)
	if err != nil {
		return 0
	}
	return parsed
}

// allStrings expects every leaf to be a string.
var allStrings = ofDocument("every leaf a string", func(document *node, _ *knowledge) error {
	return document.walk("", func(path string, n *node) error {
		if !n.isContainer() && n.kind != '"' {
			return fmt.Errorf("%s is %s", path, shown(n))
		}
		return nil
	})
})

// alphabetical expects the members of every object to be sorted.
var alphabetical = ofDocument("names in alphabetical order", func(document *node, _ *knowledge) error {
	return document.walk("", func(path string, n *node) error {
		if !slices.IsSorted(n.names) {
			return fmt.Errorf("members of %q = %q", path, n.names)
		}
		return nil
	})
})

// compact expects JSON without spaces.
var compact = of("JSON without blanks", func(a answer) error {
	var without bytes.Buffer
	if err := json.Compact(&without, []byte(a.body)); err != nil {
		return err
	}
	if without.Len() != len(a.body) {
		return fmt.Errorf("got %d bytes of spaces", len(a.body)-without.Len())
	}
	return nil
})

// shown formats a leaf for a report.
func shown(n *node) string {
	switch {
	case n == nil:
		return "not there"
	case n.isContainer():
		return "a container"
	case n.kind == '"':
		return fmt.Sprintf("%q", n.text)
	}
	return n.text
}
