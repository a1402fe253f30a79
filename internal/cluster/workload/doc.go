// Package workload authenticates pods by their ServiceAccount tokens, offline: it verifies them with the cluster's public
// keys, which it holds.
package workload
