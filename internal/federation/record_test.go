package federation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordedKeys(t *testing.T) {
	t.Parallel()
	issuer := Issuer{URL: "https://issuer.example"}
	for name, test := range map[string]struct {
		value string
		want  map[string]bool
	}{
		"of this issuer": {issuer.Record([]string{"two", "one"}), map[string]bool{"one": true, "two": true}},
		"of another one": {Issuer{URL: "https://other.example"}.Record([]string{"one"}), map[string]bool{}},
		"none":           {"", map[string]bool{}},
		"malformed":      {"one,two", map[string]bool{}},
		"too long":       {issuer.Record([]string{strings.Repeat("a", maxRecord)}), map[string]bool{}},
	} {
		if diff := cmp.Diff(test.want, issuer.ReadRecord(test.value)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
