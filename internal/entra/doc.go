// Package entra exchanges assertions for access tokens of managed identities at Microsoft Entra ID's token endpoint, by
// workload identity federation (tokens.md section 3). It knows nothing of pods.
//
// It uses net/http instead of MSAL: MSAL keeps a token cache and retries of its own, and hides Retry-After and the codes of
// errors, which the issuer needs to answer every pod of a node from one exchange.
package entra
