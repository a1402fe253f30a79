// Package podnet sets up the pod's side of 169.254.169.254: the address on lo, the rule that redirects its port 80, and a
// listener that cannot be reached from outside the pod.
package podnet
