// Package binaries builds what a cluster consists of from pinned Go modules, once, and keeps it outside the checkout.
package binaries
