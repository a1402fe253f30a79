// Package token makes the tokens of managed identities: their claims, the keys that sign them, and the documents that
// verify them. It does no I/O.
package token
