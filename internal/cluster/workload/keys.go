package workload

import (
	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

// NewKeys returns the set of the cluster's public keys of ServiceAccount tokens. Its Start fills it.
func NewKeys(source keyset.Source, log logr.Logger) *keyset.Keys {
	documents := keyset.Documents{Source: source, Discovery: "/.well-known/openid-configuration", JWKS: "/openid/v1/jwks"}
	return keyset.New(documents, log, func(err error) {
		outcome := outcomeRead
		if err != nil {
			outcome = outcomeFailed
		}
		refreshes.WithLabelValues(outcome).Inc()
	})
}
