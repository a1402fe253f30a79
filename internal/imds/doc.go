// Package imds implements the HTTP contract of Azure's Instance Metadata Service over a TokenSource, an InstanceSource and
// the other sources. It knows nothing of Kubernetes or keys, and it proxies nothing: unknown paths get 404.
// The answers follow imds-contract.md; the numbered list at the end of clients.md says what clients need of them.
package imds
