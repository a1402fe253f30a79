// Package controllers reconciles the kinds of kube-imds, one reconciler a file. They run in the leading controller.
package controllers
