// Package machine keeps what clusters must know of the machine and restore on it.
package machine
