// Package suite asks an Instance Metadata Service what it should answer, over HTTP alone, and reports differences. It knows
// nothing about the server: a sidecar in a pod, a process on a laptop or a virtual machine in Azure.
//
// A case is a line of a table: a name, a request, and the expected answer. There is one file of tables per endpoint. The
// tables contain what Azure documents or was seen to answer. Where neither is known, a case contains what no client trips
// over, and is marked as our own choice, which a real virtual machine need not share.
package suite
