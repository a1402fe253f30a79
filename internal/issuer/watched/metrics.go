package watched

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// running counts watches by their kind.
var running = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "kube_imds_issuer_watches",
	Help: "Watches of what the node's pods hang on, by kind.",
}, []string{"kind"})

func init() { metrics.Registry.MustRegister(running) }
