// Package published is the public part of the signer's state: the data of a ConfigMap that only the signer may write, and
// that the OIDC server and the issuers watch.
package published

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// The keys of the ConfigMap's data.
const (
	jwksKey        = "jwks.json"
	tenantsKey     = "tenants"
	generationKey  = "generation"
	revocationsKey = "revocations"
)

// Published is the published state. Its maps must not be changed.
type Published struct {
	// JWKS is the document of the public keys, and KeyIDs holds their IDs.
	JWKS   []byte
	KeyIDs map[string]bool

	// Tenants are the tenants of all identities, in lower case.
	Tenants map[string]bool

	// Generation and Revocations are those of the ring.
	Generation  int64
	Revocations int64
}

// Read parses a ConfigMap's data. It returns nil if nothing is published yet.
func Read(data map[string]string) (*Published, error) {
	if data[jwksKey] == "" {
		return nil, nil
	}
	published := &Published{JWKS: []byte(data[jwksKey]), KeyIDs: map[string]bool{}, Tenants: map[string]bool{}}
	var set jose.JSONWebKeySet // golang-jwt has no JWK type
	if err := json.Unmarshal(published.JWKS, &set); err != nil {
		return nil, fmt.Errorf("read the published keys: %w", err)
	}
	for _, key := range set.Keys {
		published.KeyIDs[key.KeyID] = true
	}
	for tenant := range strings.FieldsSeq(data[tenantsKey]) {
		published.Tenants[tenant] = true
	}
	for name, number := range map[string]*int64{generationKey: &published.Generation, revocationsKey: &published.Revocations} {
		var err error
		if *number, err = strconv.ParseInt(data[name], 10, 64); err != nil {
			return nil, fmt.Errorf("read the %s of the published keys: %w", name, err)
		}
	}
	return published, nil
}

// Data returns the ConfigMap's data. It is deterministic.
func (p *Published) Data() map[string]string {
	return map[string]string{
		jwksKey:        string(p.JWKS),
		tenantsKey:     strings.Join(slices.Sorted(maps.Keys(p.Tenants)), "\n"),
		generationKey:  strconv.FormatInt(p.Generation, 10),
		revocationsKey: strconv.FormatInt(p.Revocations, 10),
	}
}

// Has reports whether a key is published.
func (p *Published) Has(keyID string) bool { return p != nil && p.KeyIDs[keyID] }

// RevokedTimes returns how often keys were revoked.
func (p *Published) RevokedTimes() int64 {
	if p == nil {
		return 0
	}
	return p.Revocations
}
