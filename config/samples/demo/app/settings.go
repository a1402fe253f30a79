package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// settings are what the environment says.
type settings struct {
	// resource is what tokens are asked for, RESOURCE.
	resource string

	// issuer is who is trusted to issue them, OIDC_ISSUER.
	issuer string

	// vault is the URL of a Key Vault, KEY_VAULT_URL; none to do without.
	vault string

	// blobs is the URL of a storage account's blobs, BLOB_URL; none to do without.
	blobs string

	// greeting, if there is one, is written to the secret and the blob, and then all is done, GREETING.
	greeting string

	// pause is the time between one round and the next, REFRESH_SECONDS; none for one round only.
	pause time.Duration
}

func settingsFrom(getenv func(string) string) (settings, error) {
	seconds, err := strconv.ParseUint(cmp.Or(getenv("REFRESH_SECONDS"), "60"), 10, 31)
	if err != nil {
		return settings{}, fmt.Errorf("REFRESH_SECONDS: %w", err)
	}
	issuer := getenv("OIDC_ISSUER")
	if issuer == "" {
		return settings{}, errors.New("OIDC_ISSUER must name the issuer whose tokens are trusted")
	}
	return settings{
		resource: cmp.Or(getenv("RESOURCE"), "https://vault.azure.net"),
		issuer:   issuer,
		vault:    getenv("KEY_VAULT_URL"),
		blobs:    getenv("BLOB_URL"),
		greeting: getenv("GREETING"),
		pause:    time.Duration(seconds) * time.Second,
	}, nil
}
