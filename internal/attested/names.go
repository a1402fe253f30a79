package attested

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// domains are the domains of attestation certificates by the cloud's name in instance metadata.
var domains = map[string]string{
	"AzurePublicCloud":       "metadata.azure.com",
	"AzureUSGovernmentCloud": "metadata.azure.us",
	"AzureChinaCloud":        "metadata.azure.cn",
	"AzureGermanCloud":       "metadata.microsoftazure.de",
}

// Domains returns the domains of all clouds, sorted.
func Domains() []string { return slices.Sorted(maps.Values(domains)) }

// Names returns the DNS names of a certificate that attests machines of a cloud in a location. The cloud's own name comes
// first and is also the common name. An unknown cloud counts as the public one. A location that is no DNS label, as a
// node's label may be, has no name of its own.
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

// IsName reports whether an attestation certificate may have a DNS name: a cloud's domain, or a location below it.
func IsName(name string) bool {
	if IsDomain(name) {
		return true
	}
	location, domain, _ := strings.Cut(name, ".")
	return isLocation(location) && IsDomain(domain)
}

// IsDomain reports whether a name is a cloud's domain.
func IsDomain(name string) bool { return slices.Contains(Domains(), name) }

// isLocation reports whether a location can be a DNS label. A wildcard cannot.
func isLocation(location string) bool { return len(validation.IsDNS1123Label(location)) == 0 }
