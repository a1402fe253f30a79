package entra

import "github.com/kube-imds/kube-imds/api/v1alpha1"

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

// AuthorityFor returns the authority of an identity's tokens, in a cloud.
func AuthorityFor(identity *v1alpha1.ManagedIdentity, cloud string) string {
	if settings := identity.Spec.Entra; settings != nil && settings.Authority != "" {
		return settings.Authority
	}
	return CloudOf(cloud).Authority
}

// AudienceFor returns the audience of an identity's assertions, in a cloud.
func AudienceFor(identity *v1alpha1.ManagedIdentity, cloud string) string {
	if settings := identity.Spec.Entra; settings != nil && settings.Audience != "" {
		return settings.Audience
	}
	return CloudOf(cloud).Audience
}

// AssertsServiceAccount reports whether an identity's assertions are the tokens of pods' own ServiceAccounts.
func AssertsServiceAccount(identity *v1alpha1.ManagedIdentity) bool {
	settings := identity.Spec.Entra
	return identity.Spec.TokenSource == v1alpha1.TokenSourceEntra && settings != nil && settings.Assertion == v1alpha1.AssertionServiceAccount
}

// AssertsIdentity reports whether an identity's assertions are the federation issuer's.
func AssertsIdentity(identity *v1alpha1.ManagedIdentity) bool {
	return identity.Spec.TokenSource == v1alpha1.TokenSourceEntra && !AssertsServiceAccount(identity)
}
