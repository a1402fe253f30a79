package dev

import (
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/token"
)

// newKey makes the key that signs as long as the process lives, and what is published of it: whoever asks this process
// sees it at once.
func newKey(identities []*v1alpha1.ManagedIdentity) (*token.Key, *published.Published, error) {
	private, err := token.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	key, err := token.NewKey(private)
	if err != nil {
		return nil, nil, err
	}
	document, err := token.JWKS([]*token.Key{key})
	if err != nil {
		return nil, nil, err
	}
	known := &published.Published{JWKS: document, KeyIDs: map[string]bool{key.ID: true}, Tenants: map[string]bool{}}
	for _, identity := range identities {
		known.Tenants[strings.ToLower(string(identity.Status.TenantID))] = true
	}
	return key, known, nil
}
