package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// output returns the program's output and its error.
func output(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var printed bytes.Buffer
	err := run(t.Context(), args, &printed, io.Discard)
	return printed.String(), err
}

func TestListHasALineForEachCase(t *testing.T) {
	t.Parallel()
	printed, err := output(t, "-list", "-run", "^identity/token/probe/")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(printed) {
		if !regexp.MustCompile(`^identity/token/probe/\S+( \(our choice\))?: .*GET .* -> .+`).MatchString(line) {
			t.Errorf("unexpected line %q", line)
		}
	}
	ofAzure, err := output(t, "-list", "-azure")
	if err != nil || strings.Contains(ofAzure, "(our choice)") {
		t.Errorf("our own choices are listed with -azure, error %v", err)
	}
}

func TestFailuresArePrintedAndReturned(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	printed, err := output(t, "-url", server.URL, "-run", "^instance/document$|^identity/selector/object_id$")
	if !errors.Is(err, errFailed) {
		t.Errorf("got error %v", err)
	}
	for _, wanted := range []string{
		"FAIL instance/document\n", "asked:    GET /metadata/instance?api-version=2021-02-01\n", "came:     404 ", "expected: 200, ",
		"skip identity/selector/object_id (no -object-id is given)\n", "0 ok, 1 failed, 1 skipped\n",
	} {
		if !strings.Contains(printed, wanted) {
			t.Errorf("no %q in\n%s", wanted, printed)
		}
	}
}

func TestInvalidArgumentsAreErrors(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"URL with https":     {"-url", "https://127.0.0.1"},
		"URL with a path":    {"-url", "http://127.0.0.1/metadata"},
		"nothing listens":    {"-url", "http://127.0.0.1:1"},
		"invalid expression": {"-run", "("},
		"argument":           {"http://127.0.0.1:1"},
	} {
		if printed, err := output(t, args...); err == nil || errors.Is(err, errFailed) {
			t.Errorf("%s: got error %v, output %s", name, err, printed)
		}
	}
}
