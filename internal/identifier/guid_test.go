package identifier

import (
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestParseGUID(t *testing.T) {
	t.Parallel()
	const guid = "abcdefab-1111-4111-8111-111111111111"
	for value, want := range map[string]v1alpha1.GUID{
		guid:                                   guid,
		strings.ToUpper(guid):                  guid,
		"":                                     "",
		"contoso.com":                          "",
		" " + guid:                             "",
		"{" + guid + "}":                       "",
		"urn:uuid:" + guid:                     "",
		strings.ReplaceAll(guid, "-", ""):      "",
		"gbcdefab-1111-4111-8111-111111111111": "",
	} {
		got, err := ParseGUID(value)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q and %v", value, got, err)
		}
	}
}
