package issuer

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-imds/kube-imds/internal/issuer/mint"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_issuer_requests_total",
		Help: "Requests by endpoint, outcome (granted, refused, unavailable) and reason.",
	}, []string{"endpoint", "outcome", "reason"})

	tokenRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_issuer_token_requests_total",
		Help: "Token requests by outcome (granted, refused, unavailable), reason and whether the token was cached.",
	}, []string{"outcome", "reason", "cached"})

	suppressedLines = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kube_imds_issuer_audit_lines_suppressed_total",
		Help: "Requests without a line in the audit log, because their pod or source address had written too many.",
	}, []string{"reason"})
)

// Collectors returns the issuer's metrics, for the process to register.
func Collectors() []prometheus.Collector {
	return append(mint.Collectors(), requests, tokenRequests, suppressedLines)
}

// count counts a request.
func (s *Server) count(e endpoint, x *exchange) {
	outcome, reason := x.outcome()
	requests.WithLabelValues(e.name, outcome, reason).Inc()
	if e.issues() && e.name != nameAssertion {
		tokenRequests.WithLabelValues(outcome, reason, strconv.FormatBool(x.issued.minted.Cached)).Inc()
	}
}
