// Package watched watches what the pods of one node depend on, and nothing else: each pod's ServiceAccount and namespace,
// the bindings and load balancers of that namespace, and the identities that the pod asks for. Each has a watch that lasts
// as long as pods need it (docs/design/issuer-watches.md).
package watched
