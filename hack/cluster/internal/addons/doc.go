// Package addons provides what a cluster needs beyond Kubernetes itself: the pause image and DNS.
package addons
