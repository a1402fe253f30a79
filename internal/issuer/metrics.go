package issuer

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_issuer_token_requests_total",
		Help: "Token requests by outcome (granted, refused, unavailable), reason and whether the token was cached.",
	}, []string{"outcome", "reason", "cached"})

	suppressedLines = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_issuer_audit_lines_suppressed_total",
		Help: "Refused token requests that left no line in the audit log, because their source address had left too many.",
	}, []string{"reason"})

	mintSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kube_imds_issuer_mint_seconds",
		Help:    "Time to have a token signed by the signer.",
		Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 4},
	})
)

func init() {
	metrics.Registry.MustRegister(requests, suppressedLines, mintSeconds)
}
