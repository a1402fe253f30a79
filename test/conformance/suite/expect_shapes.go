package suite

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
)

// Complete answers in IMDS's shapes.

// success expects 200 with JSON.
func success(more ...Expectation) Expectation {
	parts := []Expectation{status(http.StatusOK), header("Content-Type", typeJSON), headerMatches("Server", `^IMDS/`), compact}
	return all(append(parts, more...)...)
}

// textSuccess expects 200 with text.
func textSuccess(more ...Expectation) Expectation {
	return all(append([]Expectation{status(http.StatusOK), headerMatches("Content-Type", `^text/plain`)}, more...)...)
}

// refusal expects an error in the shape of all endpoints but identity's, which has spaces inside its braces.
func refusal(wanted int, description string) Expectation {
	return all(status(wanted), header("Content-Type", typeJSON), body(`{ "error": `+quoted(description)+` }`))
}

// refused expects a refusal with any description.
func refused(wanted int) Expectation {
	return all(status(wanted), header("Content-Type", typeJSON), plainError)
}

// identityRefusal expects an error in the shape of identity's endpoints.
func identityRefusal(wanted int, code, description string) Expectation {
	return all(status(wanted), header("Content-Type", typeJSON),
		body(`{"error":`+quoted(code)+`,"error_description":`+quoted(description)+`}`))
}

// identityRefused expects an identityRefusal with any description and one of IMDS's codes.
func identityRefused(wanted int) Expectation {
	return all(status(wanted), header("Content-Type", typeJSON), identityError)
}

var (
	plainError    = bodyMatches(`a body { "error": "…" } with these blanks`, `\{ "error": "(?:[^"\\]|\\.)*" \}`)
	identityError = all(compact, object("", "error", "error_description"), matches("error", `^[a-z_]+$`), allStrings)
)

// badVersion is the description for a missing or unknown version.
const badVersion = "Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds"

// versionRefusal lists the newest versions, which some clients then use. Those of Azure are dates; newer ones may exist.
var versionRefusal = all(
	status(http.StatusBadRequest), header("Content-Type", typeJSON),
	object("", "error", "newest-versions"), value("error", badVersion), newest,
	ours(body(`{"error":"`+badVersion+`","newest-versions":["2025-04-07","2024-07-17","2024-03-15"]}`)),
)

// identityVersionRefusal is versionRefusal for errors with a code.
var identityVersionRefusal = all(
	status(http.StatusBadRequest), header("Content-Type", typeJSON),
	ours(object("", "error", "error_description", "newest-versions")), ours(value("error_description", badVersion)), newest,
)

// newest expects at least three dates, the newest first.
var newest = all(compact, ofDocument("newest-versions with three dates", func(document *node, _ *knowledge) error {
	list := document.find("newest-versions")
	if list == nil || len(list.elements) < 3 {
		return fmt.Errorf("fewer than three")
	}
	for i, version := range list.elements {
		if !date.MatchString(version.text) || i > 0 && list.elements[i-1].text <= version.text {
			return fmt.Errorf("%s is not a date, or out of order", shown(version))
		}
	}
	return nil
}))

var date = regexp.MustCompile(`^20[0-9]{2}-[0-9]{2}-[0-9]{2}$`)

// noHeader is the answer to a request without the header Metadata.
var (
	noHeader         = refusal(http.StatusBadRequest, "Bad request: . Required metadata header not specified")
	identityNoHeader = identityRefusal(http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
)

func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	return string(encoded)
}
