// Package oidc serves what validators need to verify local tokens: discovery documents and the JWKS, in Entra's shapes at
// Entra's paths (tokens.md section 2). The OIDC server has no key and serves what the signer published; kubectl imds dev
// serves its own.
package oidc
