// Package suite sends requests to an Instance Metadata Service over HTTP, and reports unexpected responses. It knows
// nothing about the server: a sidecar in a pod, a process on a laptop or a virtual machine in Azure.
//
// A case is a line of a table: a name, a request, and the expected response. There is one file of tables per endpoint. The
// tables contain what Azure documents or was seen to respond. Where neither is known, a case contains a response that all clients
// accept, and is marked as our own choice, which a real virtual machine need not share.
package suite
