// Package disruption derives the scheduled event of a pod from the pod and its node, as Azure announces the events of a
// virtual machine. docs/imds.md has the mapping with its reasons.
package disruption
