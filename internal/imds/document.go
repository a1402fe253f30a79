package imds

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A document is made of objects, lists and strings: every leaf of an instance document is a string. JSON renders
// the members of an object in alphabetical order, as IMDS does.
type (
	object map[string]any
	list   []any
)

// find walks down a normal path such as /network/interface/0. List elements are found by number.
func find(element any, path string) (found any, ok bool) {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path[1:], "/")
		if path != "" {
			path = "/" + path
		}
		if element, ok = child(element, name); !ok {
			return nil, false
		}
	}
	return element, true
}

func child(element any, name string) (found any, ok bool) {
	switch element := element.(type) {
	case object:
		for key, value := range element {
			if normalPath(key) == name {
				return value, true
			}
		}
	case list:
		if i, err := strconv.ParseUint(name, 10, 16); err == nil && i < uint64(len(element)) {
			return element[i], true
		}
	}
	return nil, false
}

// plain renders an element for format=text: a string is itself, a container one child a line, of which containers
// end in a slash.
func plain(element any) string {
	var lines []string
	switch element := element.(type) {
	case string:
		return element
	case object:
		for _, name := range slices.Sorted(maps.Keys(element)) {
			lines = append(lines, listed(name, element[name]))
		}
	case list:
		for i, value := range element {
			lines = append(lines, listed(strconv.Itoa(i), value))
		}
	}
	return strings.Join(lines, "\n")
}

func listed(name string, element any) string {
	if _, leaf := element.(string); leaf {
		return name
	}
	return name + "/"
}
