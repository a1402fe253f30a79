package kms

import (
	"context"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		arn   = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		inGCP = "gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k"
	)
	for url, want := range map[string]bool{
		"azurekms://v.vault.azure.net/k/0123456789abcdef":           true,
		"azurekms://v.vault.azure.net/k":                            false,
		"azurekms://v.vault.azure.net/k/":                           false,
		"awskms:///1234abcd-12ab-34cd-56ef-1234567890ab":            true,
		"awskms:///" + arn:                                          true,
		"awskms://vpce.example/" + arn:                              true,
		"awskms:///alias/tokens":                                    false,
		"awskms:///arn:aws:kms:eu-west-1:111122223333:alias/tokens": false,
		inGCP + "/cryptoKeyVersions/1":                              true,
		inGCP + "/versions/1":                                       true,
		inGCP:                                                       false,
		"hashivault://tokens-1":                                     true,
		"openbao://tokens-1":                                        true,
		"hashivault://transit/keys/tokens":                          false,
		"hashivault://":                                             false,
		"file:///key":                                               false,
		"sh://-c":                                                   false,
		"":                                                          false,
		"hashivault://" + strings.Repeat("x", 600):                  false,
	} {
		if err := Check([]string{url}); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
	if err := Check([]string{"hashivault://a", "hashivault://b", "hashivault://a"}); err == nil {
		t.Error("a duplicate URL is accepted")
	}
}

// A ring may name a URL that is no longer supported. It must not be used as the name of a program.
func TestUnknownServiceDoesNotSign(t *testing.T) {
	t.Parallel()
	sign := new(Keys).Signer("sh://-c", nil)
	if _, err := sign(context.Background(), nil); err == nil {
		t.Error("it signs")
	}
}
