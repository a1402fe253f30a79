package suite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// unsigned are cases that fixed sources cannot sign for. kubectl imds dev can, and must pass them.
var unsigned = regexp.MustCompile(`^attested/`)

func TestOurServerPasses(t *testing.T) {
	t.Parallel()
	results, err := Run(t.Context(), serve(t, fixedHandler()), Options{Skip: unsigned})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		switch result.Outcome {
		case Failed:
			t.Error(result)
		case Skipped:
			t.Log(result)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	const fewest = 120
	names := map[string]bool{}
	for _, c := range Cases() {
		if names[c.Name] {
			t.Errorf("duplicate name %s", c.Name)
		}
		names[c.Name] = true
	}
	if len(names) < fewest {
		t.Errorf("got %d cases", len(names))
	}
}

func TestReportsHaveNoTokens(t *testing.T) {
	t.Parallel()
	target := serve(t, saying(`"token_type"`, `"type"`)(fixedHandler()))
	for _, result := range ran(t, target, Options{Only: regexp.MustCompile(`^identity/token/(fields|jwt|bearer)$`)}) {
		if report := result.String(); strings.Contains(report, segment(`{"alg":"RS256"}`)) {
			t.Error(report)
		}
	}
	opaque := Result{Outcome: Failed, Failures: []error{errors.New("it is " + segment(`{"alg":"RS256"}`) + ".b.c")}}
	if strings.Contains(opaque.String(), segment(`{"alg":"RS256"}`)) {
		t.Error(opaque)
	}
}

// A server that differs from ours only in our own choices passes with the option Azure.
func TestAzureSkipsOurOwnChoices(t *testing.T) {
	t.Parallel()
	inOtherWords := mistaken(func(w *httptest.ResponseRecorder, r *http.Request) string {
		body := w.Body.String()
		if w.Code == http.StatusBadRequest && strings.Contains(body, "more than once") || w.Code == http.StatusNotFound {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Server", "Microsoft-IIS/10.0")
			body = "<html>no</html>"
		}
		if w.Code == http.StatusMethodNotAllowed {
			w.Header().Del("Allow")
		}
		w.Header().Del("X-Ms-Request-Id")
		if r.RequestURI == anInstance && w.Code == http.StatusOK {
			w.Header().Set("X-Ms-Request-Id", uniqueID())
		}
		if r.Method == http.MethodHead {
			return ""
		}
		return body
	})
	results := ran(t, serve(t, inOtherWords(fixedHandler())), Options{Azure: true, Skip: unsigned})
	for _, result := range results {
		if result.Outcome == Failed {
			t.Error(result)
		}
		if result.Case.OurChoice {
			t.Errorf("%s was run", result.Case.Name)
		}
	}
}

func TestCasesWithUnknownPlaceholdersAreSkipped(t *testing.T) {
	t.Parallel()
	target := serve(t, fixedHandler())
	target.ObjectID, target.Resource = "", ""
	for name, reason := range map[string]string{
		"identity/selector/principal_id": "no -resource is given",
		"identity/token/fields":          "no -resource is given",
		"identity/info/object_id":        "no -object-id is given",
	} {
		for _, result := range ran(t, target, Options{Only: regexp.MustCompile("^" + name + "$")}) {
			if result.Outcome != Skipped || result.Reason != reason {
				t.Error(result)
			}
		}
	}
}

func TestTokenCasesAreSkippedWithoutToken(t *testing.T) {
	t.Parallel()
	ungranted := misreadingTarget(`\?`, `?client_id=`+unknownID+`&`)
	target := serve(t, ungranted(fixedHandler()))
	target.ClientID = ""
	for _, result := range ran(t, target, Options{Only: regexp.MustCompile("^identity/token/fields$")}) {
		if result.Outcome != Skipped || !strings.Contains(result.Reason, "Identity not found") {
			t.Error(result)
		}
	}
}

// The server issues tokens for a selected identity only.
func TestTokenCasesSelectTheIdentityThatGetsTokens(t *testing.T) {
	t.Parallel()
	nobodyByDefault := misreading(func(r *http.Request) {
		if !strings.Contains(r.RequestURI, "client_id") {
			r.RequestURI += "&client_id=" + unknownID
		}
	})
	target := serve(t, nobodyByDefault(fixedHandler()))
	for _, result := range ran(t, target, Options{Only: regexp.MustCompile("^identity/token/fields$")}) {
		if result.Outcome != OK {
			t.Error(result)
		}
	}
}

func uniqueID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
