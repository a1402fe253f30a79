// Package exposure finds out which pods can reach their node's own metadata service. 169.254.169.254 is the sidecar for
// every program of an injected pod that connects as programs do; a process with the capability NET_RAW can send past it, to
// whatever the node lets a pod's packets reach (docs/security.md).
package exposure
