// Package issuerclient is the sidecar's client of its node's issuer: a source for every endpoint of IMDS, and a watch on
// the pod's grant.
package issuerclient
