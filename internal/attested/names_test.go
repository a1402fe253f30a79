package attested

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A region is a node's label, which may hold more than a DNS name.
func TestLocationsThatAreNoDNSLabelsAreLeftOut(t *testing.T) {
	t.Parallel()
	for location, want := range map[string][]string{
		"westeurope":            {"metadata.azure.com", "westeurope.metadata.azure.com"},
		"WestEurope":            {"metadata.azure.com", "westeurope.metadata.azure.com"},
		"eu-west-1":             {"metadata.azure.com", "eu-west-1.metadata.azure.com"},
		"":                      {"metadata.azure.com"},
		"eu.west":               {"metadata.azure.com"},
		"eu_west":               {"metadata.azure.com"},
		"West Europe":           {"metadata.azure.com"},
		"*":                     {"metadata.azure.com"},
		strings.Repeat("a", 64): {"metadata.azure.com"},
	} {
		got := Names("AzurePublicCloud", location)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", location, diff)
		}
		for _, name := range got {
			if !IsName(name) {
				t.Errorf("%q: name %s is refused", location, name)
			}
		}
	}
}

func TestInvalidNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "azure.com", "xmetadata.azure.com", "METADATA.azure.com", "metadata.azure.com.", "metadata.azure.com.example.com",
		".metadata.azure.com", "*.metadata.azure.com", "west*.metadata.azure.com", "a.b.metadata.azure.com",
		"-a.metadata.azure.com", "a-.metadata.azure.com", "a b.metadata.azure.com", "A.metadata.azure.com",
		"a\x00.metadata.azure.com", "kube-imds-issuer.kube-imds-system.svc",
	} {
		if IsName(name) {
			t.Errorf("name %q is accepted", name)
		}
	}
}
