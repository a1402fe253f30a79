// Package view tells issuers what they may know: their Node, the pods of their node, and what those pods depend on, which is each
// pod's ServiceAccount and namespace, the bindings and load balancers that concern it, and the identities that it asks for
// (docs/design/node-views.md).
package view
