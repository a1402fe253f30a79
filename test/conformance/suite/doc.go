// Package suite asks an Instance Metadata Service what it should answer, over HTTP alone, and tells where it answers
// otherwise. It knows nothing of what serves: a sidecar in a pod, a process on a laptop or a virtual machine in Azure.
//
// A case is a line of a table: a name, what is asked, what must come back. The tables are a file an endpoint. What they
// hold is what Azure documents or was seen to answer. Where neither is known, the case holds what no client trips over,
// and is marked as our own choice, which a real virtual machine need not share.
package suite
