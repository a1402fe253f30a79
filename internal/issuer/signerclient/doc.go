// Package signerclient asks the signer's replicas.
package signerclient
