// Package tokenendpoint has the wire formats of Entra ID's token endpoint (tokens.md section 3), for a server: it reads the form of
// a request, and writes a token or an AADSTS error. Whether the assertion is worth a token, the issuer decides.
package tokenendpoint
