package webhook

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
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

func init() { metrics.Registry.MustRegister(admissions) }
