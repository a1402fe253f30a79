package workload

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of reading the cluster's keys.
const (
	outcomeRead   = "read"
	outcomeFailed = "failed"
)

var refreshes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kube_imds_issuer_workload_keys_refreshes_total",
	Help: "Looks at the cluster's keys of ServiceAccount tokens by outcome (read, failed).",
}, []string{"outcome"})

// Collectors returns the package's metrics, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{refreshes} }
