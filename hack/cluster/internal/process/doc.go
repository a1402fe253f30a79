// Package process starts, records and stops a cluster's daemons, and touches no other process.
package process
