// Package attested makes attested documents: signed statements of who a machine is, to show to others (imds-contract.md
// section 5).
package attested
