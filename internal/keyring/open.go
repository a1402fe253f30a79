package keyring

import "github.com/kube-imds/kube-imds/internal/token"

// Opened is a ring whose keys can be used.
type Opened struct {
	Ring Ring

	// Signing is the key that signs; nil if none does.
	Signing *token.Key

	// JWKS is the JWKS document of the published keys.
	JWKS []byte
}

// Open opens the keys of a ring. remote signs with those in a KMS.
func Open(ring Ring, remote Remote) (*Opened, error) {
	opened := &Opened{Ring: ring}
	var published []*token.Key
	for _, slot := range ring.Published() {
		key, err := slot.Key(remote)
		if err != nil {
			return nil, err
		}
		published = append(published, key)
		if ring.Current != nil && slot.ID == ring.Current.ID {
			opened.Signing = key
		}
	}
	var err error
	opened.JWKS, err = token.JWKS(published)
	return opened, err
}
