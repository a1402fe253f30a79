// Package components defines how each part of Kubernetes runs: its arguments, configuration and readiness.
package components
