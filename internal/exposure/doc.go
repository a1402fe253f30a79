// Package exposure finds out which pods can reach their node's own metadata service. For programs that connect,
// 169.254.169.254 in an injected pod is the sidecar; a process with NET_RAW can send past it, to what the node lets a
// pod's packets reach (docs/security.md).
package exposure
