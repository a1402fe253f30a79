package attested

// domains are those of the certificates that attest machines, by the cloud's name in instance metadata.
var domains = map[string]string{
	"AzurePublicCloud":       "metadata.azure.com",
	"AzureUSGovernmentCloud": "metadata.azure.us",
	"AzureChinaCloud":        "metadata.azure.cn",
	"AzureGermanCloud":       "metadata.microsoftazure.de",
}

// Names are the DNS names of a certificate that attests machines of a cloud, in a location: the cloud's own first, which
// is the subject's common name too. A cloud that is not known is the public one.
func Names(cloud, location string) []string {
	domain, known := domains[cloud]
	if !known {
		domain = domains["AzurePublicCloud"]
	}
	if location == "" {
		return []string{domain}
	}
	return []string{domain, location + "." + domain}
}

// IsDomain tells whether a name is one that a cloud's certificates have as their common name.
func IsDomain(name string) bool {
	for _, domain := range domains {
		if name == domain {
			return true
		}
	}
	return false
}
