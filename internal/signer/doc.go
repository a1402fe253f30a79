// Package signer signs tokens and attested documents for the issuers of nodes, about pods that run on the issuer's own node
// now. It believes nothing else that an issuer says, and answers from memory. Package signerapi has the wire types.
package signer
