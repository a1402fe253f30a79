package attested

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// domains are those of the certificates that attest machines, by the cloud's name in instance metadata.
var domains = map[string]string{
	"AzurePublicCloud":       "metadata.azure.com",
	"AzureUSGovernmentCloud": "metadata.azure.us",
	"AzureChinaCloud":        "metadata.azure.cn",
	"AzureGermanCloud":       "metadata.microsoftazure.de",
}

// Domains are those of all clouds, in alphabetical order.
func Domains() []string { return slices.Sorted(maps.Values(domains)) }

// Names are the DNS names of a certificate that attests machines of a cloud, in a location: the cloud's own first, which
// is the subject's common name too. A cloud that is not known is the public one. A location of which no DNS name can be
// made, as a node's label may well hold one, has none: its machines are attested under the cloud's.
func Names(cloud, location string) []string {
	domain, known := domains[cloud]
	if !known {
		domain = domains["AzurePublicCloud"]
	}
	location = strings.ToLower(location)
	if !isLocation(location) {
		return []string{domain}
	}
	return []string{domain, location + "." + domain}
}

// IsName tells whether a certificate that attests machines may have a DNS name: a cloud's, or a location's in it.
func IsName(name string) bool {
	if IsDomain(name) {
		return true
	}
	location, domain, _ := strings.Cut(name, ".")
	return isLocation(location) && IsDomain(domain)
}

// IsDomain tells whether a name is one that a cloud's certificates have as their common name.
func IsDomain(name string) bool { return slices.Contains(Domains(), name) }

// isLocation tells whether a location can be one label of a DNS name. A wildcard is none.
func isLocation(location string) bool { return len(validation.IsDNS1123Label(location)) == 0 }
