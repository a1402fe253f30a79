// Package machine describes pods as Azure describes virtual machines: their place and their resource IDs.
package machine
