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

// maxURL is the most bytes that a URL has.
const maxURL = 512

// service is a kind of KMS.
type service struct {
	scheme string

	// isValid complains of a URL that the service's provider does not take.
	isValid func(url string) error

	// isExact reports whether a URL names a key that stays the same key, and form is how such a URL looks.
	isExact func(url string) bool
	form    string

	// version is that of the key where the URL cannot tell it.
	version string

	// reopens says that another client may help after a failure: this one reads its token but once, and hangs on to a
	// connection that is dead.
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

// transit is Vault's and OpenBao's service. Its URLs name no version, so they stand for the first one.
func transit(scheme string) service {
	return service{
		scheme: scheme, isValid: hashivault.ValidReference, isExact: func(string) bool { return true },
		form: scheme + "KEY", version: "1", reopens: true,
	}
}

// Check complains of URLs that name no key, or one that may become another.
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

// serviceOf is the service of a URL. The provider of an unknown scheme would be sought among the programs of the machine,
// and run.
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
