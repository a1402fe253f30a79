package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// node is JSON that keeps the order of members, because IMDS does and some clients depend on it.
type node struct {
	// kind is '{', '[', '"' for a string, '0' for a number, 't' for true and false, and 'n' for null.
	kind byte

	// text is the value of a leaf.
	text string

	// names are the names of an object's members, and elements the values of members or elements.
	names    []string
	elements []*node
}

// document returns the body as JSON.
func (a answer) document() (*node, error) {
	document, err := parse(a.body)
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return document, nil
}

func parse(text string) (*node, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	root, err := parseNode(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the document")
	}
	return root, nil
}

func parseNode(decoder *json.Decoder) (*node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		return parseContainer(decoder, &node{kind: byte(token)})
	case string:
		return &node{kind: '"', text: token}, nil
	case json.Number:
		return &node{kind: '0', text: token.String()}, nil
	case bool:
		return &node{kind: 't', text: strconv.FormatBool(token)}, nil
	}
	return &node{kind: 'n', text: "null"}, nil
}

func parseContainer(decoder *json.Decoder, container *node) (*node, error) {
	for decoder.More() {
		if container.kind == '{' {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			container.names = append(container.names, name.(string))
		}
		element, err := parseNode(decoder)
		if err != nil {
			return nil, err
		}
		container.elements = append(container.elements, element)
	}
	_, err := decoder.Token()
	return container, err
}

func (n *node) isContainer() bool { return n.kind == '{' || n.kind == '[' }

// children returns members by name and elements by number.
func (n *node) children() iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) {
		for i, element := range n.elements {
			name := strconv.Itoa(i)
			if n.kind == '{' {
				name = n.names[i]
			}
			if !yield(name, element) {
				return
			}
		}
	}
}

// find returns the node at a path such as network/interface/0.
func (n *node) find(path string) *node {
	for name := range strings.SplitSeq(path, "/") {
		if path == "" {
			break
		}
		var found *node
		for childName, child := range n.children() {
			if childName == name {
				found = child
			}
		}
		if found == nil {
			return nil
		}
		n = found
	}
	return n
}

// walk visits a node and everything below it with paths.
func (n *node) walk(path string, visit func(path string, n *node) error) error {
	if err := visit(path, n); err != nil {
		return err
	}
	for name, child := range n.children() {
		if err := child.walk(strings.TrimPrefix(path+"/"+name, "/"), visit); err != nil {
			return err
		}
	}
	return nil
}

// String returns the node as compact JSON.
func (n *node) String() string {
	switch n.kind {
	case '"':
		return quoted(n.text)
	case '{', '[':
	default:
		return n.text
	}
	parts := make([]string, len(n.elements))
	for i, element := range n.elements {
		parts[i] = element.String()
		if n.kind == '{' {
			parts[i] = quoted(n.names[i]) + ":" + parts[i]
		}
	}
	return string(n.kind) + strings.Join(parts, ",") + string(n.kind+2)
}
