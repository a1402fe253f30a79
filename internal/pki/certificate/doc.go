// Package certificate gets certificates for a process and renews them. Their keys stay in memory. client-go's certificate.Manager
// makes ECDSA keys only, and attested documents need RSA.
package certificate
