package federation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordedKeys(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]map[string]bool{
		Record([]string{"two", "one"}):  {"one": true, "two": true},
		" one, two ,":                   {"one": true, "two": true},
		"":                              {},
		strings.Repeat("a,", maxRecord): {},
	} {
		if diff := cmp.Diff(want, Recorded(value)); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", value, diff)
		}
	}
}
