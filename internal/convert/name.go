package convert

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName bounds the name of a ManagedIdentity.
const maxName = 63

// setNames gives each identity a unique name: NAMESPACE-NAME of its first source, so that namespaces which are converted one
// by one do not overwrite each other's. If that is too long, or if several would have it, the end is made of the client ID.
func setNames(identities []*identity) {
	wanted := map[string]int{}
	for _, identity := range identities {
		identity.name = identity.source.Metadata.Namespace + "-" + identity.source.Metadata.Name
		wanted[identity.name]++
	}
	taken := map[string]bool{}
	var rest []*identity
	for _, identity := range identities {
		if len(identity.name) > maxName || wanted[identity.name] > 1 {
			rest = append(rest, identity)
			continue
		}
		taken[identity.name] = true
	}
	for _, identity := range rest {
		whole, seed := identity.name, string(identity.spec.ClientID)
		for identity.name = ""; identity.name == "" || taken[identity.name]; seed += "+" {
			identity.name = withEnd(whole, seed)
		}
		taken[identity.name] = true
	}
}

// withEnd returns a name that ends in eight digits made of a seed.
func withEnd(name, seed string) string {
	sum := sha256.Sum256([]byte(seed))
	end := "-" + hex.EncodeToString(sum[:4])
	if len(name) > maxName-len(end) {
		name = strings.TrimRight(name[:maxName-len(end)], "-.")
	}
	return name + end
}
