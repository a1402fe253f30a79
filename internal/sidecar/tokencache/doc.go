// Package tokencache caches the tokens of a slower source: it requests each once, renews it ahead of expiry, and serves it
// until it expires while the source is away.
package tokencache
