// Package issuer is the node API: it authenticates the pods of its own node, decides what they get, and issues tokens. It
// answers from memory; a token request costs the API server nothing. Package issuerapi has the wire types.
package issuer
