// Package keys keeps the keys that sign tokens: their ring in a Secret or a KMS, its rotation, and the public part in a
// ConfigMap. Package signer signs with the current one.
package keys
