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

// output is what the program prints, and how it ends.
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
			t.Errorf("a line is %q", line)
		}
	}
	ofAzure, err := output(t, "-list", "-azure")
	if err != nil || strings.Contains(ofAzure, "(our choice)") {
		t.Errorf("with -azure our own choices are listed, %v", err)
	}
}

func TestFailuresAreToldAndEndTheProgramWith1(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	printed, err := output(t, "-url", server.URL, "-run", "^instance/document$|^identity/selector/object_id$")
	if !errors.Is(err, errFailed) {
		t.Errorf("it ends with %v", err)
	}
	for _, wanted := range []string{
		"FAIL instance/document\n", "asked:    GET /metadata/instance?api-version=2021-02-01\n", "came:     404 ", "expected: 200, ",
		"skip identity/selector/object_id (no -object-id is given)\n", "0 ok, 1 failed, 1 skipped\n",
	} {
		if !strings.Contains(printed, wanted) {
			t.Errorf("there is no %q in\n%s", wanted, printed)
		}
	}
}

func TestWhatCannotBeAskedIsAnError(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"a URL of another kind":    {"-url", "https://127.0.0.1"},
		"a URL with a path":        {"-url", "http://127.0.0.1/metadata"},
		"nobody there":             {"-url", "http://127.0.0.1:1"},
		"an expression that isn't": {"-run", "("},
		"an argument":              {"http://127.0.0.1:1"},
	} {
		if printed, err := output(t, args...); err == nil || errors.Is(err, errFailed) {
			t.Errorf("%s: it ends with %v, and prints %s", name, err, printed)
		}
	}
}
