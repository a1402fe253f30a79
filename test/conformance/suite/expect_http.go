package suite

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// everyAnswer applies to every answer of every case.
var everyAnswer = each(all(
	noLastNewline,
	of("Retry-After only where waiting helps", func(a answer) error {
		// MSAL for Python replays even a successful answer for as long as its Retry-After.
		if wait := a.header.Get("Retry-After"); wait != "" && a.status < 429 {
			return fmt.Errorf("got %q with status %d", wait, a.status)
		}
		return nil
	}),
	of("no word that SDKs take for Docker Desktop's proxy", func(a answer) error {
		return unlessContained(a.body, "unreachable")
	}),
	of("no token but with 200", func(a answer) error {
		if a.status == http.StatusOK {
			return nil
		}
		return unlessContained(a.body, "access_token")
	}),
	ours(headerMatches("Server", `^IMDS/[0-9.]+$`)),
	ours(headerMatches("X-Ms-Request-Id", guid)),
	ours(of("Content-Length", func(a answer) error {
		if a.header.Get("Content-Length") == "" {
			return fmt.Errorf("missing")
		}
		return nil
	})),
))

// The forms of IDs.
const (
	guid       = `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`
	upperGUID  = `^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`
	typeJSON   = "application/json; charset=utf-8"
	numberText = `^[0-9]+$`
)

// status expects one of some statuses.
func status(wanted ...int) Expectation {
	says := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(wanted), "[]")), " or ")
	return of(says, func(a answer) error {
		if !slices.Contains(wanted, a.status) {
			return fmt.Errorf("got status %d", a.status)
		}
		return nil
	})
}

// header expects a header with a value.
func header(name, value string) Expectation {
	return of(name+": "+value, func(a answer) error {
		if got := a.header.Get(name); got != value {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
}

func headerMatches(name, pattern string) Expectation {
	matches := regexp.MustCompile(pattern)
	return of(name+" as "+pattern, func(a answer) error {
		if got := a.header.Get(name); !matches.MatchString(got) {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
}

// allows expects methods in the header Allow.
func allows(methods ...string) Expectation {
	return of("Allow: "+strings.Join(methods, ", "), func(a answer) error {
		got := strings.FieldsFunc(a.header.Get("Allow"), func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(got)
		if !slices.Equal(got, methods) {
			return fmt.Errorf("got %q", a.header.Get("Allow"))
		}
		return nil
	})
}

// closes expects the connection to end with the answer.
var closes = of("the connection is closed", func(a answer) error {
	if !a.closes {
		return fmt.Errorf("the connection is kept")
	}
	return nil
})

// differs expects a header to differ between answers.
func differs(name string) Expectation {
	return Expectation{says: "another " + name + " in each answer", check: func(s *seen) error {
		known := map[string]bool{}
		for _, answer := range s.answers {
			value := answer.header.Get(name)
			if known[value] {
				return fmt.Errorf("%s = %q twice", name, value)
			}
			known[value] = true
		}
		return nil
	}}
}

// sameBody expects the same body in each answer.
var sameBody = Expectation{says: "the same body in each answer", check: func(s *seen) error {
	for i, answer := range s.answers[1:] {
		if answer.body != s.answers[0].body {
			return fmt.Errorf("the body of answer %d differs from that of answer 1", i+2)
		}
	}
	return nil
}}

// body expects an exact body.
func body(text string) Expectation {
	return Expectation{says: "the body " + text, check: func(s *seen) error {
		if got := s.last().body; got != s.known.fill(text) {
			return fmt.Errorf("the body is not exactly %s", s.known.fill(text))
		}
		return nil
	}}
}

// bodyMatches expects the whole body to match.
func bodyMatches(says, pattern string) Expectation {
	matches := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return of(says, func(a answer) error {
		if !matches.MatchString(a.body) {
			return fmt.Errorf("the body does not match %s", pattern)
		}
		return nil
	})
}

// lines expects a listing of exactly these lines.
func lines(wanted ...string) Expectation {
	return body(strings.Join(wanted, "\n"))
}

// listing expects a listing of the members in the JSON of the previous answer: containers with a trailing slash, leaves
// without.
var listing = Expectation{says: "a line for each child, containers with a slash at their end", check: func(s *seen) error {
	document, err := s.answers[0].document()
	if err != nil {
		return err
	}
	var wanted []string
	for name, child := range document.children() {
		if child.isContainer() {
			name += "/"
		}
		wanted = append(wanted, name)
	}
	got := strings.Split(s.last().body, "\n")
	slices.Sort(wanted)
	slices.Sort(got)
	if !slices.Equal(got, wanted) {
		return fmt.Errorf("lines = %q, want %q", got, wanted)
	}
	return nil
}}

var noLastNewline = of("no last newline", func(a answer) error {
	if strings.HasSuffix(a.body, "\n") {
		return fmt.Errorf("it is present")
	}
	return nil
})

func unlessContained(text, part string) error {
	if strings.Contains(text, part) {
		return fmt.Errorf("the body contains %q", part)
	}
	return nil
}
