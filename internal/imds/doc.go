// Package imds answers as Azure's Instance Metadata Service does: HTTP in, HTTP out, over a TokenSource and an
// InstanceSource. It knows neither Kubernetes nor keys, and it forwards nothing: what is not in its list of paths
// is 404.
//
// What is answered comes from imds-contract.md, what clients need of it from the numbered list that ends clients.md.
package imds
