// Package keyring decides which keys sign and which are published: a current key, its successor, and retired keys whose
// signatures may still be valid. The keys sign tokens or belong to certificate authorities. Its functions are pure; others
// carry the decisions out.
package keyring
