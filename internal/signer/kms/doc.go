// Package kms signs with keys in a key management service. Its providers are large, so only the signer links it.
package kms
