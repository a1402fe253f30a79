package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

var refusedConnections = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kube_imds_connections_refused_total",
	Help: "Connections that were not let in or ended, by the server's address and reason: too many of their source " +
		"(source) or in all (total), made too fast by their source (rate), or not proven in time (unproven).",
}, []string{"server", "reason"})

// Collectors returns the metrics of servers, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{refusedConnections} }
