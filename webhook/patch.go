package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
)

// patch is a JSON patch of a pod as it was sent. It names only what changes, so that fields newer than this program's types survive.
type patch []jsonpatch.Operation

// set sets a field of an object.
func (p *patch) set(path string, value any) {
	*p = append(*p, jsonpatch.NewOperation("add", path, value))
}

func (p *patch) remove(path string) {
	*p = append(*p, jsonpatch.NewOperation("remove", path, nil))
}

// listEdit is what is done to a list.
type listEdit struct {
	// length is that of the list as it was sent; 0 if there is none.
	length int

	// removed are the indexes of items that go, in ascending order.
	removed []int

	// first and last are added.
	first, last []any
}

// edit edits the list at a path.
func (p *patch) edit(path string, edit listEdit) {
	if edit.length == 0 {
		if added := slices.Concat(edit.first, edit.last); len(added) > 0 {
			p.set(path, added)
		}
		return
	}
	for _, i := range slices.Backward(edit.removed) {
		p.remove(path + "/" + strconv.Itoa(i))
	}
	for _, item := range slices.Backward(edit.first) {
		p.set(path+"/0", item)
	}
	for _, item := range edit.last {
		p.set(path+"/-", item)
	}
}

// annotate sets annotations, and removes those whose value is empty.
func (p *patch) annotate(before, values map[string]string) {
	added := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		old, found := before[name]
		switch value := values[name]; {
		case value == "" && found:
			p.remove(annotationPath(name))
		case value == "" || found && value == old:
		case before == nil:
			added[name] = value
		default:
			p.set(annotationPath(name), value)
		}
	}
	if len(added) > 0 {
		p.set("/metadata/annotations", added)
	}
}

// annotationPath returns the JSON pointer to an annotation.
func annotationPath(name string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// anyOf returns items as a listEdit has them.
func anyOf[T any](items []T) []any {
	var all []any
	for _, item := range items {
		all = append(all, item)
	}
	return all
}

// usualPatch is the room for most patches, in bytes.
const usualPatch = 6 << 10

// encode returns the patch in JSON. What is encoded already is copied: json.Marshal would read it again.
func (p patch) encode() ([]byte, error) {
	content := append(make([]byte, 0, usualPatch), '[')
	for i, operation := range p {
		if i > 0 {
			content = append(content, ',')
		}
		content = append(append(append(content, `{"op":"`...), operation.Operation...), `","path":`...)
		var err error
		if content, err = jsontext.AppendQuote(content, operation.Path); err != nil {
			return nil, fmt.Errorf("write a path in the pod: %w", err)
		}
		if operation.Value != nil {
			if content, err = appendValue(append(content, `,"value":`...), operation.Value); err != nil {
				return nil, fmt.Errorf("write what is added to the pod: %w", err)
			}
		}
		content = append(content, '}')
	}
	return append(content, ']'), nil
}

// appendValue appends a value in JSON.
func appendValue(content []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case json.RawMessage:
		return append(content, value...), nil
	case []any:
		content = append(content, '[')
		for i, item := range value {
			if i > 0 {
				content = append(content, ',')
			}
			var err error
			if content, err = appendValue(content, item); err != nil {
				return nil, err
			}
		}
		return append(content, ']'), nil
	}
	encoded, err := json.Marshal(value)
	return append(content, encoded...), err
}
