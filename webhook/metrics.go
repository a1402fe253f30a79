package webhook

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of an admission.
const (
	outcomeInjected = "injected"
	outcomeDenied   = "denied"
)

var admissions = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kube_imds_webhook_admissions_total",
	Help: "Pods that asked for the IMDS, by outcome (injected, denied) and reason.",
}, []string{"outcome", "reason"})

// Reasons for which a request is not read.
const (
	refusedUnauthenticated = "unauthenticated"
	refusedLarge           = "large"
	refusedBusy            = "busy"
)

var refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kube_imds_webhook_refused_requests_total",
	Help: "Requests to the webhook that were not read, by reason: unauthenticated (not the API server), large, busy.",
}, []string{"reason"})

func refuse(reason string) { refusals.WithLabelValues(reason).Inc() }

// Collectors returns the webhook's metrics, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{admissions, refusals} }
