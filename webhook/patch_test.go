package webhook

import (
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// applied applies a patch to a JSON text as the API server does.
func applied(t *testing.T, made patch, text string) string {
	t.Helper()
	content, err := made.encode()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonpatch.DecodePatch(content)
	if err != nil {
		t.Fatal(err, string(content))
	}
	result, err := decoded.Apply([]byte(text))
	if err != nil {
		t.Fatal(err, string(content))
	}
	return string(result)
}

func TestListEdits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		edit listEdit
		want string
	}{
		"nothing":            {`{"list":["a","b"]}`, listEdit{length: 2}, `{"list":["a","b"]}`},
		"nothing of no list": {`{}`, listEdit{}, `{}`},
		"no list":            {`{}`, listEdit{first: []any{"x"}, last: []any{"y"}}, `{"list":["x","y"]}`},
		"null":               {`{"list":null}`, listEdit{last: []any{"y"}}, `{"list":["y"]}`},
		"empty":              {`{"list":[]}`, listEdit{first: []any{"x"}}, `{"list":["x"]}`},
		"first in order":     {`{"list":["a"]}`, listEdit{length: 1, first: []any{"x", "y"}}, `{"list":["x","y","a"]}`},
		"last in order":      {`{"list":["a"]}`, listEdit{length: 1, last: []any{"x", "y"}}, `{"list":["a","x","y"]}`},
		"removed":            {`{"list":["a","b","c","d"]}`, listEdit{length: 4, removed: []int{0, 2}}, `{"list":["b","d"]}`},
		"all removed":        {`{"list":["a","b"]}`, listEdit{length: 2, removed: []int{0, 1}}, `{"list":[]}`},
		"replaced": {`{"list":["a","b"]}`, listEdit{length: 2, removed: []int{0, 1}, first: []any{"x"}, last: []any{"y"}},
			`{"list":["x","y"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made patch
			made.edit("/list", test.edit)
			if got := applied(t, made, test.text); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnnotationEdits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text   string
		before map[string]string
		values map[string]string
		want   string
	}{
		"none yet":       {`{"metadata":{}}`, nil, map[string]string{"a/b": "1", "c": ""}, `{"metadata":{"annotations":{"a/b":"1"}}}`},
		"null":           {`{"metadata":{"annotations":null}}`, nil, map[string]string{"a": "1"}, `{"metadata":{"annotations":{"a":"1"}}}`},
		"nothing to set": {`{"metadata":{}}`, nil, map[string]string{"a": ""}, `{"metadata":{}}`},
		"empty":          {`{"metadata":{"annotations":{}}}`, map[string]string{}, map[string]string{"a": "1"}, `{"metadata":{"annotations":{"a":"1"}}}`},
		"special characters": {`{"metadata":{"annotations":{"a~1b/c":"0"}}}`, map[string]string{"a~1b/c": "0"}, map[string]string{"a~1b/c": "1", "~/": "<\"é"},
			`{"metadata":{"annotations":{"a~1b/c":"1","~/":"\u003c\"é"}}}`},
		"removed": {`{"metadata":{"annotations":{"a":"1","b":"2"}}}`, map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "", "c": ""},
			`{"metadata":{"annotations":{"b":"2"}}}`},
		"as it was": {`{"metadata":{"annotations":{"a":"1"}}}`, map[string]string{"a": "1"}, map[string]string{"a": "1"}, `{"metadata":{"annotations":{"a":"1"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made patch
			made.annotate(test.before, test.values)
			if got := applied(t, made, test.text); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
