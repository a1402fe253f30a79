package view

import (
	"github.com/prometheus/client_golang/prometheus"
)

// connected is 1 while the view is complete and followed.
var connected = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "kube_imds_issuer_view_connected",
	Help: "1 while a signer shows what the issuer may know of its node, 0 while it answers by what it knew.",
})

// Collectors returns the package's metrics, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{connected} }
