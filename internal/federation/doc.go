// Package federation is the issuer that Entra ID trusts: its assertions about identities, and its public files, which an
// administrator publishes at a URL of their own (docs/entra.md). The signer holds its keys.
package federation
