package entra

import (
	"fmt"
	"net/url"
)

// Cloud is an Azure cloud: where its tokens come from, and the audience of assertions for it.
type Cloud struct {
	// Authority is the URL of the token endpoints, without a trailing slash.
	Authority string

	// Audience is the audience of assertions.
	Audience string
}

// clouds are Azure's clouds by the names that IMDS has for them (tokens.md section 3).
var clouds = map[string]Cloud{
	"AzurePublicCloud":       {"https://login.microsoftonline.com", "api://AzureADTokenExchange"},
	"AzureUSGovernmentCloud": {"https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"},
	"AzureChinaCloud":        {"https://login.partner.microsoftonline.cn", "api://AzureADTokenExchangeChina"},
}

// CloudOf returns a cloud by its name in IMDS. An unknown cloud is the public one: AzureGermanCloud, which IMDS also names, was
// closed in 2021.
func CloudOf(name string) Cloud {
	if cloud, found := clouds[name]; found {
		return cloud
	}
	return clouds["AzurePublicCloud"]
}

// CheckAuthority returns an error if a URL cannot be an authority.
func CheckAuthority(authority string) error {
	parsed, err := url.Parse(authority)
	switch {
	case err != nil:
		return fmt.Errorf("read the authority: %w", err)
	case parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "":
		return fmt.Errorf("the authority %q must be https://HOST without user, query and fragment", authority)
	}
	return nil
}
