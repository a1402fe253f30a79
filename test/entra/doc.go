// Package entra stands in for Microsoft Entra ID in tests of federation. It verifies assertions as Entra does: it reads the
// issuer's public files over TLS, and compares issuer, subject and audience with the identity's federated credentials to the
// letter. Its wire formats are those of tokens.md sections 1 to 3.
//
// It is not Entra: it does not cache what it reads of issuers, has no policies, no regions and no secrets, knows no resource but
// those that a test names, and answers only what its tests need of the errors. What real Entra ID does that is not documented,
// such as how long it caches keys, cannot be learned from it.
package entra
