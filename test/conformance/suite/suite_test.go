package suite

import (
	"regexp"
	"testing"
)

// notYet are cases of what our server does not do yet: it has no attested documents; and to a GET whose body is shorter
// than it says, Go's server answers once it has given up waiting for the rest.
var notYet = regexp.MustCompile(`^attested/|^malformed/body/shorter-than-told$`)

func TestOurServerAnswersAsItShould(t *testing.T) {
	t.Parallel()
	results, err := Run(t.Context(), serve(t, fixedHandler()), Options{Skip: notYet})
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
			t.Errorf("two cases are named %s", c.Name)
		}
		names[c.Name] = true
	}
	if len(names) < fewest {
		t.Errorf("there are %d cases", len(names))
	}
}
