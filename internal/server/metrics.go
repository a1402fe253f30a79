package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var refusedConnections = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kube_imds_connections_refused_total",
	Help: "Connections that were not let in or ended, by the server's address and reason: too many of their source " +
		"(source) or in all (total), made too fast by their source (rate), or not proven in time (unproven).",
}, []string{"server", "reason"})

func init() { metrics.Registry.MustRegister(refusedConnections) }
