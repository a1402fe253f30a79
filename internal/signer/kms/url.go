package kms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
)

// maxURL bounds a URL, in bytes.
const maxURL = 512

// service is a kind of KMS.
type service struct {
	scheme string

	// isValid returns an error for a URL that the provider does not accept.
	isValid func(url string) error

	// isExact reports whether a URL always names the same key. form shows such a URL.
	isExact func(url string) bool
	form    string

	// version is the key's version if the URL cannot name it.
	version string

	// reopens reports that another client may help after a failure: this provider reads its token only once and keeps dead
	// connections.
	reopens bool
}

var services = []service{
	{
		scheme: azure.ReferenceScheme, isValid: azure.ValidReference, form: "azurekms://VAULT.vault.azure.net/KEY/VERSION",
		isExact: func(url string) bool { return strings.Count(url, "/") == 4 && !strings.HasSuffix(url, "/") },
	},
	{
		scheme: aws.ReferenceScheme, isValid: aws.ValidReference, form: "awskms:///KEY-ID or awskms:///KEY-ARN, and no alias",
		isExact: func(url string) bool { return !strings.Contains(url, "alias/") },
	},
	{
		scheme: gcp.ReferenceScheme, isValid: gcp.ValidReference,
		form:    "gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY/cryptoKeyVersions/VERSION",
		isExact: func(url string) bool { return strings.Contains(url, "ersions/") },
	},
	transit(hashivault.ReferenceScheme), transit(hashivault.AlternativeScheme),
}

// transit returns Vault's or OpenBao's service. Its URLs name no version and mean the first one.
func transit(scheme string) service {
	return service{
		scheme: scheme, isValid: hashivault.ValidReference, isExact: func(string) bool { return true },
		form: scheme + "KEY", version: "1", reopens: true,
	}
}

// Check returns an error for URLs that name no key, or one that may change.
func Check(urls []string) error {
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			return fmt.Errorf("%s is there twice", url)
		}
		if _, err := serviceOf(url); err != nil {
			return err
		}
	}
	return nil
}

// serviceOf returns the service of a URL. For an unknown scheme the provider would look for a program on this machine and
// run it.
func serviceOf(url string) (service, error) {
	if len(url) > maxURL {
		return service{}, fmt.Errorf("a key's URL has more than %d bytes", maxURL)
	}
	for _, one := range services {
		if !strings.HasPrefix(url, one.scheme) {
			continue
		}
		if one.isValid(url) != nil || !one.isExact(url) {
			return service{}, fmt.Errorf("%q does not name one version of a key: %s", url, one.form)
		}
		return one, nil
	}
	return service{}, fmt.Errorf("%q: %w", url, errScheme)
}

var errScheme = errors.New("there is no such KMS: the schemes are azurekms, awskms, gcpkms, hashivault and openbao")
