package watched

import (
	"github.com/prometheus/client_golang/prometheus"
)

// running counts the running watches by kind.
var running = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "kube_imds_issuer_watches",
	Help: "Watches of what the node's pods hang on, by kind.",
}, []string{"kind"})

// Collectors returns the package's metrics, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{running} }
