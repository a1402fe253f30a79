// Package webhook injects IMDS into pods that ask for it, and validates what the CRDs' own rules cannot.
package webhook
