package signer

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-imds/kube-imds/internal/signer/view"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_signer_requests_total",
		Help: "Requests of issuers by kind (token, attestation, assertion, outcome, view), outcome (signed, refused, unavailable) and reason.",
	}, []string{"kind", "outcome", "reason"})

	suppressedLines = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kube_imds_signer_audit_lines_suppressed_total",
		Help: "Refused requests that left no line in the audit log, because there were too many.",
	})

	busy = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kube_imds_signer_requests_busy_total",
		Help: "Requests that got 503 because too many were in progress.",
	})

	signSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kube_imds_signer_sign_seconds",
		Help:    "Time to sign a token, or to fail to, by where the key is (local, kms).",
		Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024},
	}, []string{"key"})
)

// Collectors returns the signer's metrics, for the process to register.
func Collectors() []prometheus.Collector {
	return append(view.Collectors(), requests, suppressedLines, busy, signSeconds)
}
